"""Which routes there are, and how their bodies are read."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.dialects.test_reading import JSON, LAST
from tests.exchanges import OPERATIONS
from tests.recorded import recordings
from vllm_gateway import codec
from vllm_gateway.dialects.anthropic import Anthropic
from vllm_gateway.dialects.openai import OpenAI, OpenAIResponses
from vllm_gateway.dialects.operations import build_operations
from vllm_gateway.dialects.plain import Plain
from vllm_gateway.dialects.sse import PlainWatch, StreamWatch
from vllm_gateway.errors import BodyMalformed, Refusal
from vllm_gateway.exchange import Asked, Keeping

CHAT = "/v1/chat/completions"
EMBEDDINGS = "/v1/embeddings"
QUESTION = {"messages": [{"role": "user", "content": "Hi"}]}
LEAST: dict[str, dict[str, Any]] = {
    "/v1/responses": {"input": "Hi"},
    "/chat": QUESTION,
    "/api/chat": QUESTION,
    "/api/chat/stream": QUESTION,
    "/v1/sessions/{id}/chat": {"message": "Hi"},
    "/embed": {"input": "Hi"},
    "/api/embeddings": {"input": "Hi"},
}
"""What a body must hold, where it must hold anything."""
TRANSLATED = {
    "/chat": CHAT,
    "/api/chat": CHAT,
    "/api/chat/stream": CHAT,
    "/v1/sessions/{id}/chat": CHAT,
    "/embed": EMBEDDINGS,
    "/api/embeddings": EMBEDDINGS,
}
"""The routes that only the gateway has, and the replica's route behind each."""
OWN = sorted(OPERATIONS.keys() - TRANSLATED.keys() - {"/v1/responses"})
"""The routes that are vLLM's own, but for the one whose answers the gateway keeps."""
ITEMS = [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}]


def asked(path: str, **fields: Any) -> Asked:  # noqa: ANN401 - JSON is any of its types
    """Read a body with these fields, and those that the route insists on."""
    return OPERATIONS[path].read(codec.dumps({**LEAST.get(path, {}), **fields}))


def test_the_routes_are_these_and_no_more() -> None:
    """Anything else never reaches a replica; each route has the errors that its clients understand."""
    assert {path: type(operation.dialect) for path, operation in OPERATIONS.items()} == {
        "/v1/chat/completions": OpenAI,
        "/v1/completions": OpenAI,
        "/v1/embeddings": OpenAI,
        "/v1/responses": OpenAIResponses,
        "/v1/messages": Anthropic,
        "/v1/messages/count_tokens": Anthropic,
        "/v1/rerank": OpenAI,
        "/v1/score": OpenAI,
        "/tokenize": OpenAI,
        "/detokenize": OpenAI,
        "/chat": Plain,
        "/embed": Plain,
        "/api/chat": Plain,
        "/api/chat/stream": Plain,
        "/api/embeddings": Plain,
        "/v1/sessions/{id}/chat": OpenAI,
    }
    assert all(operation.path == path for path, operation in OPERATIONS.items())


def test_a_session_id_is_a_credential_on_one_route_only() -> None:
    """Where the path names the session, a key is asked for."""
    assert [path for path, each in OPERATIONS.items() if each.takes_session_id] == ["/chat"]


def test_the_gateways_own_streams_have_a_heartbeat() -> None:
    """Streams of vLLM's own routes are relayed as they are."""
    with_heartbeat = {path for path, each in OPERATIONS.items() if each.has_heartbeat}
    assert with_heartbeat == {path for path, behind in TRANSLATED.items() if behind == CHAT}


@pytest.mark.parametrize("path", sorted(OPERATIONS))
def test_each_body_is_for_a_route_of_the_replica(path: str) -> None:
    """Those of vLLM's own are themselves; the others are put into the terms of one of these."""
    assert asked(path).path == TRANSLATED.get(path, path)


@pytest.mark.parametrize("path", sorted(OPERATIONS))
def test_no_route_takes_a_body_that_is_nested_too_deeply(path: str) -> None:
    """The limit is the gateway's, whatever the body is for."""
    body = codec.dumps({**LEAST.get(path, {}), "x": [[[[]]]]})
    assert build_operations(max_json_depth=5)[path].read(body).path
    with pytest.raises(BodyMalformed, match="more than 4 levels deep"):
        build_operations(max_json_depth=4)[path].read(body)


@pytest.mark.parametrize(
    ("fields", "keeping"),
    [
        ({}, Keeping(keeps=True, previous=None, items=ITEMS)),
        ({"store": False}, Keeping(keeps=False, previous=None, items=ITEMS)),
        ({"previous_response_id": "resp_1", "input": []}, Keeping(keeps=True, previous="resp_1", items=[])),
    ],
)
def test_only_responses_are_kept(fields: dict[str, Any], keeping: Keeping) -> None:
    """Unless their caller wishes otherwise; on another route the same fields mean nothing."""
    assert asked("/v1/responses", **fields).keeping == keeping
    assert asked(CHAT, **fields).keeping is None


@given(st.binary(max_size=60) | st.text(alphabet='{}[]":,truefalsn0.eE-\\u d', max_size=40).map(str.encode))
def test_no_bytes_can_do_more_than_be_refused(body: bytes) -> None:
    """Whatever is sent is understood or refused, on every route."""
    for operation in OPERATIONS.values():
        try:
            assert isinstance(operation.read(body).fields, dict)
        except Refusal as refusal:
            assert refusal.status in {400, 422}  # noqa: PT017 - either way is right, and this is the other one


NAMES = st.sampled_from(["n", "prompt", "stream_options", "messages", "no such field"]) | st.text()


@given(
    st.sampled_from(OWN),
    st.dictionaries(NAMES, JSON, max_size=6),
    st.fixed_dictionaries({}, optional={"model": st.none() | st.text(), "stream": st.none() | st.booleans()}),
)
def test_every_field_is_kept(path: str, fields: dict[str, Any], known: dict[str, Any]) -> None:
    """On vLLM's own routes, fields that nobody here knows are vLLM's business."""
    whole = LEAST.get(path, {}) | fields | known
    if "model" not in known:
        whole.pop("model", None)
    if "stream" not in known:
        whole.pop("stream", None)
    understood = asked(path, **whole)
    assert understood.fields == whole
    assert understood.model == (whole.get("model") or None)
    assert understood.stream is bool(whole.get("stream"))
    understood.new_watch().feed(b": ping\n\n")


@pytest.mark.parametrize("stream", [True, False, None])
@pytest.mark.parametrize("path", sorted(OPERATIONS))
def test_only_the_openai_streams_are_asked_for_their_usage(path: str, stream: bool | None) -> None:
    """Chat and completions tell it only when they are asked; the other streams always do."""
    wish = asked(path, **({} if stream is None else {"stream": stream}))
    assert wish.adds_usage is (wish.stream and wish.path in {CHAT, "/v1/completions"})
    assert wish.stream or not stream or wish.path == EMBEDDINGS


@pytest.mark.parametrize(
    ("path", "fields", "choices"),
    [
        (CHAT, {}, 1),
        (CHAT, {"n": 3, "prompt": ["a", "b"]}, 3),
        ("/v1/completions", {"prompt": ["one", "two"], "n": 2}, 4),
        ("/v1/responses", {"n": 3}, 1),
        ("/chat", {"extra": {"n": 2}}, 2),
        ("/api/chat", {"n": 2}, 2),
    ],
)
def test_an_answer_has_as_many_choices_as_were_asked_for(path: str, fields: dict[str, Any], choices: int) -> None:
    """A stream is whole when the last of them is."""
    end = b'event: response.completed\ndata: {"type":"response.completed"}\n\n'
    watch = asked(path, stream=True, **fields).new_watch()
    for index in range(choices):
        assert not watch.is_complete()
        watch.feed(end if "responses" in path else LAST % index)
    assert watch.is_complete()


@pytest.mark.parametrize("path", sorted(OPERATIONS))
def test_each_answer_gets_its_own_watch(path: str) -> None:
    """A second try must not believe what the first one saw; a route without streams needs no watch."""
    understood = asked(path)
    assert understood.new_watch() is not understood.new_watch()
    has_streams = understood.path in {CHAT, "/v1/completions", "/v1/responses", "/v1/messages"}
    assert isinstance(understood.new_watch(), StreamWatch if has_streams else PlainWatch)


@pytest.mark.parametrize(
    "call",
    [each for each in recordings() if each.path in OPERATIONS and each.status == 200 and each.request],
    ids=lambda call: call.name,
)
def test_what_vllm_understood_is_understood(call: Any) -> None:  # noqa: ANN401 - a recording, by way of pytest
    """No request that a real vLLM answered is refused here."""
    understood = OPERATIONS[call.path].read(call.request)
    assert understood.fields == codec.loads(call.request)
    assert understood.stream is bool(call.events)


@pytest.mark.parametrize("path", ["/chat", "/api/chat/stream", "/api/embeddings"])
def test_what_was_sent_is_known_where_another_body_is_made_of_it(path: str) -> None:
    """So that it can be checked without being parsed again."""
    fields = {"input": "x"} if path == "/api/embeddings" else {"message": "x", "top_k": 1}
    asked = OPERATIONS[path].read(codec.dumps(fields))
    assert asked.sent == fields
    assert (asked.sent is asked.fields, codec.loads(asked.body)) == (False, asked.fields)
