"""The calls that clients of five earlier services make, each as curl sends it, and what must come back.

The table is played on the embedded engine and on a real vLLM. The gateway needs `settings` and the routes `tiny` (a
model that generates) and `embed`; `$SESSION_ID` in a body is the id that `/init_session` gave.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx2

from vllm_gateway import codec

TINYLLAMA = "TinyLlama/TinyLlama-1.1B-Chat-v1.0"
EMBEDDER = "sentence-transformers/all-MiniLM-L6-v2"
CURL = {"User-Agent": "curl/8.5.0", "Accept": "*/*"}
SESSION_ID = "$SESSION_ID"


def settings(model: str, embedding_model: str) -> dict[str, Any]:
    """Return what a gateway before these models must be set to, so that the documented names mean them."""
    return {"aliases": {TINYLLAMA: model, EMBEDDER: embedding_model}, "default_model": TINYLLAMA}


@dataclass(frozen=True)
class Call:
    """One documented call."""

    name: str
    path: str
    body: str | None
    check: Callable[[httpx2.Response], None]
    """Fails when the reply is not what the documentation says."""

    @property
    def method(self) -> str:
        """What curl chooses: POST with a body, GET without."""
        return "GET" if self.body is None else "POST"


async def send(http: httpx2.AsyncClient, url: str, path: str, body: str | None) -> httpx2.Response:
    """Send a request as curl does and read the whole reply."""
    if body is None:
        return await http.get(url + path, headers=CURL)
    return await http.post(url + path, content=body, headers={**CURL, "Content-Type": "application/json"})


async def init_session(http: httpx2.AsyncClient, url: str) -> str:
    """Begin a session in the first shape and return its id."""
    reply = await send(http, url, "/init_session", '{"vllm_api_key": "your_api_key"}')
    answered_init_session(reply)
    return str(reply.json()["session_id"])


async def play(http: httpx2.AsyncClient, url: str, call: Call) -> None:
    """Make a call and check what came back."""
    body = call.body
    if body is not None and SESSION_ID in body:
        body = body.replace(SESSION_ID, await init_session(http, url))
    call.check(await send(http, url, call.path, body))


def json_of(reply: httpx2.Response, status: int = 200) -> Any:  # noqa: ANN401 - JSON is any of its types
    """Return the JSON of a reply that must have this status."""
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"].partition(";")[0] == "application/json"
    return reply.json()


def answered_chat(reply: httpx2.Response) -> None:
    """Check a chat completion in one piece."""
    body = json_of(reply)
    (choice,) = body["choices"]
    assert body["object"] == "chat.completion"
    assert choice["message"]["role"] == "assistant"
    assert isinstance(choice["message"]["content"], str)
    assert choice["finish_reason"] in {"stop", "length"}
    usage = body["usage"]
    assert usage["prompt_tokens"] > 0 < usage["completion_tokens"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


def answered_chat_with_content(reply: httpx2.Response) -> None:
    """Check a chat completion that has its text and the reason of its end at the top as well."""
    answered_chat(reply)
    body = reply.json()
    (choice,) = body["choices"]
    assert (body["content"], body["finish_reason"]) == (choice["message"]["content"], choice["finish_reason"])


def answered_stream(reply: httpx2.Response) -> None:
    """Check a whole stream of a chat: only comments and data, chunks of one choice, one end, and `[DONE]` at last."""
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"].partition(";")[0] == "text/event-stream"
    events = [event for event in reply.text.split("\n\n") if not event.startswith(":")]
    *chunks, done, rest = events
    assert (done, rest) == ("data: [DONE]", "")
    assert all(event.startswith("data: ") and "\n" not in event for event in chunks)
    values = [codec.loads(event.removeprefix("data: ")) for event in chunks]
    assert {value["object"] for value in values} == {"chat.completion.chunk"}
    assert values[0]["choices"][0]["delta"]["role"] == "assistant"
    assert [value["choices"][0]["finish_reason"] for value in values if value["choices"][0]["finish_reason"]] in (
        ["stop"],
        ["length"],
    )


def answered_turn(reply: httpx2.Response) -> None:
    """Check the answer to a turn of a session in the first shape: these keys and no others."""
    body = json_of(reply)
    names = ["reply", "finish_reason", "total_tokens", "input_tokens", "output_tokens", "session_id", "expires_in"]
    assert sorted(body) == sorted(names)
    assert isinstance(body["reply"], str)
    assert body["finish_reason"] in {"stop", "length"}
    assert body["input_tokens"] > 0 < body["output_tokens"]
    assert body["total_tokens"] == body["input_tokens"] + body["output_tokens"]
    assert isinstance(body["expires_in"], int)
    assert 0 < body["expires_in"] <= 600


def answered_init_session(reply: httpx2.Response) -> None:
    """Check a new session in the first shape: an id of 128 random bits, and its seconds to live."""
    body = json_of(reply)
    assert sorted(body) == ["expires_in", "session_id"]
    prefix, _, digits = body["session_id"].partition("_")
    assert (prefix, len(bytes.fromhex(digits))) == ("sess", 16)
    assert isinstance(body["expires_in"], int)
    assert 590 <= body["expires_in"] <= 600


def answered_system_prompt(reply: httpx2.Response) -> None:
    """Check that a system prompt was taken."""
    body = json_of(reply)
    assert sorted(body) == ["expires_in", "ok", "session_id"]
    assert body["ok"] is True


def answered_stop(reply: httpx2.Response) -> None:
    """Check that a session was ended."""
    body = json_of(reply)
    assert sorted(body) == ["ok", "session_id"]
    assert body["ok"] is True


def answered_embeddings(count: int) -> Callable[[httpx2.Response], None]:
    """Return the check of an embeddings object with `count` vectors."""

    def check(reply: httpx2.Response) -> None:
        body = json_of(reply)
        assert body["object"] == "list"
        assert [row["index"] for row in body["data"]] == list(range(count))
        lengths = {len(row["embedding"]) for row in body["data"]}
        assert len(lengths) == 1
        assert all(isinstance(number, float) for row in body["data"] for number in row["embedding"])
        assert body["usage"]["prompt_tokens"] > 0

    return check


def answered_models(reply: httpx2.Response) -> None:
    """Check the list of models: ids once each, the documented names among them, and where each one is."""
    body = json_of(reply)
    assert body["object"] == "list"
    ids = [row["id"] for row in body["data"]]
    assert len(set(ids)) == len(ids)
    assert {TINYLLAMA, EMBEDDER} <= set(ids)
    assert all(row["sources"] and row["max_model_len"] > 0 for row in body["data"])


def answered_healthz(reply: httpx2.Response) -> None:
    """Check the health of a whole fleet: these keys and no others."""
    body = json_of(reply)
    names = ["status", "gpu_available", "model_loaded", "upstream_healthy", "queue_size", "details"]
    assert sorted(body) == sorted(names)
    assert (body["status"], body["model_loaded"], body["upstream_healthy"]) == ("healthy", True, True)
    assert body["gpu_available"] in {None, True, False}
    assert isinstance(body["queue_size"], int)
    assert TINYLLAMA in body["details"]["models"]


def answered_health(reply: httpx2.Response) -> None:
    """Check the health of the gateway and of what is behind it."""
    body = json_of(reply)
    assert (body["status"], body["ok"], body["vllm"]) == ("ok", True, "ok")


def _calls(path: str, check: Callable[[httpx2.Response], None], **bodies: str | None) -> list[Call]:
    return [Call(f"{path} {name.replace('_', ' ')}", path, body, check) for name, body in bodies.items()]


_HELLO = '"messages": [{"role": "user", "content": "Hello"}]'
_TALK = (
    '"messages": [{"role": "system", "content": "You are helpful."}, {"role": "user", "content": "Hi"}, '
    '{"role": "assistant", "content": "Hello! How can I help?"}, {"role": "user", "content": "Что такое vLLM? 🙂"}]'
)
_EXTRA = '"extra": {"top_p": 0.9, "top_k": 40, "repetition_penalty": 1.1, "seed": 7, "min_p": 0.05}'
_TURN = f'"session_id": "{SESSION_ID}", "message": "Привет! Кто ты?"'

CALLS = [
    *_calls(
        "/chat",
        answered_chat_with_content,
        messages=f'{{{_HELLO}, "max_tokens": 16}}',
        everything=f'{{{_TALK}, "max_tokens": 24, "temperature": 0.2, "top_p": 0.95, "stop": ["###"], '
        f'"model": "{TINYLLAMA}", "stream": false}}',
        one_stop=f'{{{_HELLO}, "max_tokens": 16, "stop": "###"}}',
        extra=f'{{{_HELLO}, "max_tokens": 16, {_EXTRA}}}',
    ),
    *_calls("/chat", answered_stream, stream=f'{{{_HELLO}, "max_tokens": 16, "stream": true}}'),
    *_calls(
        "/chat",
        answered_turn,
        turn=f'{{{_TURN}, "max_tokens": 16}}',
        turn_extra=f'{{{_TURN}, "max_tokens": 24, "temperature": 0.7, "stream": false, {_EXTRA}}}',
    ),
    *_calls("/chat", answered_stream, turn_stream=f'{{{_TURN}, "max_tokens": 16, "stream": true}}'),
    *_calls(
        "/chat",
        answered_chat,
        message='{"message": "Hello", "max_tokens": 16}',
        message_key='{"message": "Hello", "system": "Be brief.", "modelKey": "tiny", "max_tokens": 16}',
    ),
    *_calls("/embed", answered_embeddings(1), text='{"input": "The food was delicious."}'),
    *_calls(
        "/embed",
        answered_embeddings(3),
        texts='{"input": ["one", "две", "three 🙂"]}',
        model=f'{{"input": ["a", "b", "c"], "model": "{EMBEDDER}"}}',
    ),
    *_calls(
        "/api/chat",
        answered_stream,
        messages=f'{{"model": "{TINYLLAMA}", {_TALK}, "max_tokens": 24}}',
        everything=f'{{"model": "{TINYLLAMA}", {_HELLO}, "temperature": 0.7, "top_p": 0.9, "max_tokens": 24, '
        '"stop": ["###", "END"], "stream": true}',
    ),
    *_calls(
        "/api/chat",
        answered_chat,
        messages_at_once=f'{{"model": "{TINYLLAMA}", {_HELLO}, "max_tokens": 16, "stream": false}}',
        message='{"message": "Explain KV cache in one sentence.", "max_tokens": 16}',
        message_model=f'{{"message": "Hello", "model": "{TINYLLAMA}", "temperature": 0.2, "max_tokens": 16}}',
        message_key='{"message": "Hello", "modelKey": "tiny", "system": "You are concise.", "max_tokens": 16}',
        message_key_capitals='{"message": "Hello", "modelKey": "TINY", "max_tokens": 16}',
    ),
    *_calls(
        "/api/chat/stream",
        answered_stream,
        messages=f'{{"model": "{TINYLLAMA}", {_HELLO}, "max_tokens": 16}}',
        message='{"message": "Hello", "modelKey": "tiny", "max_tokens": 16}',
    ),
    *_calls(
        "/api/embeddings",
        answered_embeddings(1),
        text='{"input": "hello world"}',
        key='{"input": "hello world", "modelKey": "embed"}',
    ),
    *_calls("/api/embeddings", answered_embeddings(2), texts=f'{{"input": ["hello", "world"], "model": "{EMBEDDER}"}}'),
    *_calls("/api/models", answered_models, list=None),
    *_calls("/api/healthz", answered_healthz, whole_fleet=None),
    *_calls("/health", answered_health, whole_fleet=None),
    *_calls("/init_session", answered_init_session, any_key='{"vllm_api_key": "your_api_key"}'),
    *_calls(
        "/set_system_prompt",
        answered_system_prompt,
        prompt=f'{{"session_id": "{SESSION_ID}", "system_prompt": "Ты — полезный ассистент."}}',
    ),
    *_calls("/stop_session", answered_stop, session=f'{{"session_id": "{SESSION_ID}"}}'),
    *_calls("/v1/models", answered_models, list=None),
    *_calls(
        "/v1/chat/completions",
        answered_chat,
        messages=f'{{"model": "{TINYLLAMA}", {_HELLO}, "max_tokens": 16}}',
        default_model=f'{{{_HELLO}, "max_tokens": 16}}',
    ),
    *_calls(
        "/v1/chat/completions",
        answered_stream,
        stream=f'{{"model": "{TINYLLAMA}", {_HELLO}, "max_tokens": 16, "stream": true}}',
    ),
    *_calls("/v1/embeddings", answered_embeddings(1), text=f'{{"model": "{EMBEDDER}", "input": "hello"}}'),
]
"""Everything that goes well."""
