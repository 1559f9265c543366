"""What a caller reads through the gateway is, byte for byte, what the replica wrote."""

from typing import Any

import httpx2
import pytest

from tests.real_vllm.asked import CHAT, chat, read_events, settled
from tests.real_vllm.fleet import EMBEDDING_MODEL, MODEL, Fleet, Server

PAIRS = 20
COMPLETION = {"model": MODEL, "prompt": "The object is", "max_tokens": 8, "temperature": 0}
PLAIN: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": (CHAT, chat()),
    "chat with vLLM's own fields": (CHAT, chat(return_token_ids=True, min_tokens=3, stop_token_ids=[300], top_k=1)),
    "chat with a field nobody knows": (CHAT, chat(no_such_field={"deep": [1, {"er": None}]})),
    "chat with logprobs": (CHAT, chat(logprobs=True, top_logprobs=3, prompt_logprobs=1)),
    "chat with multi-byte text": (CHAT, chat("héllo 🙂 \u2028 \\ud83d")),
    "chat refused": (CHAT, chat(temperature=-1)),
    "completion": ("/v1/completions", COMPLETION),
    "completion with an echo": ("/v1/completions", {**COMPLETION, "echo": True, "logprobs": 1}),
    "completion of two prompts": ("/v1/completions", {**COMPLETION, "prompt": ["One", "Two things"]}),
    "message": ("/v1/messages", chat()),
    "count_tokens": ("/v1/messages/count_tokens", {"model": MODEL, "messages": chat()["messages"]}),
    "tokenize": ("/tokenize", {"model": MODEL, "prompt": "héllo 🙂", "return_token_strs": True}),
    "tokenize a chat": ("/tokenize", {"model": MODEL, "messages": chat()["messages"]}),
    "detokenize": ("/detokenize", {"model": MODEL, "tokens": [300, 301, 177, 258]}),
}
EMBEDDED: dict[str, tuple[str, dict[str, Any]]] = {
    "embedding": ("/v1/embeddings", {"model": EMBEDDING_MODEL, "input": ["Hello", "A class"]}),
    "embedding in base64": (
        "/v1/embeddings",
        {"model": EMBEDDING_MODEL, "input": "Hello", "encoding_format": "base64"},
    ),
    "rerank": ("/v1/rerank", {"model": EMBEDDING_MODEL, "query": "Hello", "documents": ["Hello there", "A class"]}),
    "score": ("/v1/score", {"model": EMBEDDING_MODEL, "text_1": "Hello", "text_2": ["Hello there", "A class"]}),
}
STREAMED: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": (CHAT, chat()),
    "chat with token ids": (CHAT, chat(return_token_ids=True)),
    "chat with a stop": (CHAT, chat(stop=["e"])),
    "completion of two prompts": ("/v1/completions", {**COMPLETION, "prompt": ["One", "Two things"]}),
    "completion": ("/v1/completions", COMPLETION),
    "completion cut inside a character": (
        "/v1/completions",
        {**COMPLETION, "prompt": [76, 132, 107, 225, 177, 258], "return_token_ids": True},
    ),
}


async def both(http: httpx2.AsyncClient, front: Server, direct: Server, path: str, body: Any) -> list[httpx2.Response]:  # noqa: ANN401 - JSON
    """Return the gateway's answer and the replica's."""
    return [await http.post(server.url + path, json=body) for server in (front, direct)]


def assert_same(through: httpx2.Response, bare: httpx2.Response) -> None:
    """Compare what a caller sees of two answers."""
    assert through.status_code == bare.status_code
    assert through.headers["content-type"] == bare.headers["content-type"]
    assert settled(through.content) == settled(bare.content)


@pytest.mark.parametrize(("path", "body"), PLAIN.values(), ids=PLAIN.keys())
async def test_plain(http: httpx2.AsyncClient, front: Server, replicas: Fleet, path: str, body: Any) -> None:  # noqa: ANN401 - JSON
    """A plain answer has the replica's status, content type and bytes, refusals included."""
    assert_same(*await both(http, front, replicas.first, path, body))


@pytest.mark.parametrize(("path", "body"), EMBEDDED.values(), ids=EMBEDDED.keys())
async def test_embedded(http: httpx2.AsyncClient, front: Server, replicas: Fleet, path: str, body: Any) -> None:  # noqa: ANN401 - JSON
    """What only the embedding replica answers comes from it, unchanged."""
    assert_same(*await both(http, front, replicas.embeds, path, body))


async def assert_same_events(http: httpx2.AsyncClient, front: Server, direct: Server, path: str, body: Any) -> None:  # noqa: ANN401 - JSON
    """Check that some of the gateway's streams equals one of the replica's, event for event and byte for byte.

    One pair would do, if vLLM did not put two tokens into one event whenever its event loop is late.
    """
    blank = settled if "stream_options" in body or path == "/v1/messages" else unsigned
    through, bare = set(), set()
    for _ in range(PAIRS):
        through.add(tuple(map(blank, await read_events(http, front.url + path, body))))
        bare.add(tuple(map(blank, await read_events(http, direct.url + path, body))))
        if through & bare:
            return
    raise AssertionError(f"None of these streams of the gateway {through} is one of these {bare}")


@pytest.mark.parametrize("options", [{}, {"stream_options": {"include_usage": True}}], ids=["no usage", "usage"])
@pytest.mark.parametrize(("path", "body"), STREAMED.values(), ids=STREAMED.keys())
async def test_stream(
    *,
    http: httpx2.AsyncClient,
    front: Server,
    replicas: Fleet,
    path: str,
    body: dict[str, Any],
    options: dict[str, Any],
) -> None:
    """A stream has the replica's events, each byte of them, in their order, and no other event."""
    await assert_same_events(http, front, replicas.first, path, {**body, **options, "stream": True})


def unsigned(event: bytes) -> bytes:
    """Drop the fingerprint: vLLM moves it to the usage event, which the gateway asks for and takes out again."""
    head, mark, tail = settled(event).partition(b',"system_fingerprint":"')
    return head + tail.partition(b'"')[2] if mark else head


async def test_messages_stream(http: httpx2.AsyncClient, front: Server, replicas: Fleet) -> None:
    """Anthropic's stream has the replica's events, names included."""
    await assert_same_events(http, front, replicas.first, "/v1/messages", chat(stream=True))


async def test_request_id(http: httpx2.AsyncClient, front: Server) -> None:
    """The caller's request id goes to the replica, which puts it into the answer, and comes back in a header."""
    reply = await http.post(front.url + CHAT, json=chat(), headers={"x-request-id": "trace-0123456789"})
    assert reply.headers.get_list("x-request-id") == ["trace-0123456789"]
    assert reply.json()["id"] == "chatcmpl-trace-0123456789"


async def test_large_body(http: httpx2.AsyncClient, front: Server, replicas: Fleet) -> None:
    """A body of a megabyte reaches the replica whole: it counts every token of it."""
    body = {"model": MODEL, "prompt": "a b " * 250_000}
    through, bare = await both(http, front, replicas.first, "/tokenize", body)
    assert through.content == bare.content
    assert through.json()["count"] > 100_000
