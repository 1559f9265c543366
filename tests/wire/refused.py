"""The calls that the earlier services refused, as curl sends them: the status, and the fields that are to blame."""

from dataclasses import dataclass

import httpx2

from tests.wire.documented import SESSION_ID, TINYLLAMA


@dataclass(frozen=True)
class Refused:
    """One call that must be refused."""

    name: str
    path: str
    body: str
    status: int
    fields: tuple[str, ...] = ()
    """Fields of the body that `detail` must name, for 422."""
    says: str = ""
    """What the sentence must hold."""


def _invalid(path: str, name: str, body: str, *fields: str) -> Refused:
    return Refused(f"{path} {name}", path, body, 422, fields)


_HELLO = '"messages": [{"role": "user", "content": "Hello"}]'
_NO_SESSION = '"session_id": "sess_00000000000000000000000000000000"'
_CHATS = ("/chat", "/api/chat", "/api/chat/stream")
_TAKING_BODIES = (*_CHATS, "/embed", "/api/embeddings", "/init_session", "/set_system_prompt", "/stop_session")

INVALID = [
    *(_invalid(path, "cut off", '{"messages": [', *()) for path in _TAKING_BODIES),
    *(_invalid(path, "a list", "[]", *()) for path in _TAKING_BODIES),
    *(_invalid(path, "nothing", "{}", "messages") for path in _CHATS),
    *(_invalid(path, "no messages", '{"messages": []}', "messages") for path in _CHATS),
    *(_invalid(path, "role", '{"messages": [{"role": "robot", "content": "x"}]}', "messages") for path in _CHATS),
    *(_invalid(path, "no content", '{"messages": [{"role": "user"}]}', "messages") for path in _CHATS),
    *(_invalid(path, "max_tokens", f'{{{_HELLO}, "max_tokens": -1}}', "max_tokens") for path in _CHATS),
    *(_invalid(path, "max_tokens text", f'{{{_HELLO}, "max_tokens": "many"}}', "max_tokens") for path in _CHATS),
    *(_invalid(path, "temperature", f'{{{_HELLO}, "temperature": 2.5}}', "temperature") for path in _CHATS),
    *(_invalid(path, "cold", f'{{{_HELLO}, "temperature": -0.1}}', "temperature") for path in _CHATS),
    *(_invalid(path, "top_p", f'{{{_HELLO}, "top_p": 1.5}}', "top_p") for path in _CHATS),
    *(_invalid(path, "stop", f'{{{_HELLO}, "stop": 7}}', "stop") for path in _CHATS),
    *(_invalid(path, "stops", f'{{{_HELLO}, "stop": [7]}}', "stop") for path in _CHATS),
    *(
        _invalid(path, "two", '{"message": "x", "temperature": 3, "top_p": 2}', "temperature", "top_p")
        for path in _CHATS
    ),
    *(_invalid(path, "message", '{"message": 7}', "message") for path in _CHATS),
    _invalid("/chat", "turn without message", f'{{"session_id": "{SESSION_ID}"}}', "message"),
    _invalid("/chat", "turn", f'{{"session_id": "{SESSION_ID}", "message": "x", "max_tokens": -5}}', "max_tokens"),
    *(_invalid(path, "nothing", "{}", "input") for path in ("/embed", "/api/embeddings")),
    *(_invalid(path, "number", '{"input": 7}', "input") for path in ("/embed", "/api/embeddings")),
    *(_invalid(path, "no text", '{"input": []}', "input") for path in ("/embed", "/api/embeddings")),
    _invalid("/init_session", "nothing", "{}", "vllm_api_key"),
    _invalid("/set_system_prompt", "nothing", "{}", "session_id", "system_prompt"),
    _invalid("/set_system_prompt", "type", f'{{"session_id": "{SESSION_ID}", "system_prompt": 7}}', "system_prompt"),
    _invalid("/stop_session", "nothing", "{}", "session_id"),
]
"""Bodies that are wrong in themselves."""

REFUSED = [
    *(Refused(f"{path} model", path, f'{{{_HELLO}, "model": "nope"}}', 409, says=TINYLLAMA) for path in _CHATS),
    *(Refused(f"{path} key", path, '{"message": "x", "modelKey": "nope"}', 409, says="tiny") for path in _CHATS),
    *(
        Refused(f"{path} model", path, '{"input": "x", "model": "nope"}', 409, says=TINYLLAMA)
        for path in ("/embed", "/api/embeddings")
    ),
    Refused("/api/embeddings key", "/api/embeddings", '{"input": "x", "modelKey": "nope"}', 409, says="embed"),
    Refused("/chat session", "/chat", f'{{{_NO_SESSION}, "message": "x"}}', 404),
    Refused("/set_system_prompt session", "/set_system_prompt", f'{{{_NO_SESSION}, "system_prompt": "x"}}', 404),
    Refused("/stop_session session", "/stop_session", f"{{{_NO_SESSION}}}", 404),
    *(
        Refused(f"{path} {name}", path, f'{{{_HELLO}, "extra": {{"{name}": {value}}}}}', 400, says=name)
        for path in _CHATS
        for name, value in (("top_k", -5), ("repetition_penalty", -1), ("min_p", 7))
    ),
]
"""Bodies that ask for what is not there, or for what the replica itself refuses."""


def check_refusal(reply: httpx2.Response, refused: Refused) -> None:
    """Check status and body of a refusal: readers of `detail` and readers of `error` both find out why."""
    assert reply.status_code == refused.status, reply.text
    detail, error = check_error(reply)
    assert isinstance(error["message"], str)
    assert refused.says in error["message"]
    if refused.status == 422:
        check_detail(detail, refused.fields)
    else:
        assert detail == error["message"]


def check_error(reply: httpx2.Response) -> tuple[object, dict[str, object]]:
    """Return `detail` and `error` of a reply that must have both and say nothing of where it comes from."""
    assert reply.headers["content-type"].partition(";")[0] == "application/json"
    body = reply.json()
    assert sorted(body) == ["detail", "error"]
    assert sorted(body["error"]) == ["code", "message", "param", "type"]
    for trace in ("127.0.0.1", "localhost", "Traceback", "http://", "/src/"):
        assert trace not in reply.text
    return body["detail"], body["error"]


def check_detail(detail: object, fields: tuple[str, ...]) -> None:
    """Check FastAPI's list of faults: every one of `fields` is blamed, and nothing else."""
    assert isinstance(detail, list)
    assert detail
    for fault in detail:
        assert {"type", "loc", "msg", "input"} <= fault.keys()
        assert fault["loc"][0] == "body"
        assert isinstance(fault["msg"], str)
    if fields:
        assert {fault["loc"][1] for fault in detail} == set(fields)
