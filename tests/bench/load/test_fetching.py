"""Single questions."""

import pytest

from tests.scripted import Visit, scripted
from vllm_gateway.bench.load.fetching import NoAnswer, fetch
from vllm_gateway.bench.load.target import Target


async def test_an_answer_is_its_json() -> None:
    """To a GET, or to a POST where there is a body."""

    async def play(visit: Visit) -> None:
        request = await visit.request()
        await visit.say_json(b'{"asked":"%s"}' % request.split(b" ")[0])

    async with scripted(play) as server:
        target = Target("127.0.0.1", server.port)
        assert await fetch(target, "/v1/models") == {"asked": "GET"}
        assert await fetch(target, "/v1/models", b"{}") == {"asked": "POST"}


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        ("404 Not Found", b"what?", "/v1/models answers 404: what?"),
        ("200 OK", b"<html>", "/v1/models answers with something that is no JSON"),
        (None, b"", "/v1/models does not answer: closed before"),
    ],
)
async def test_anything_else_is_one_sentence(status: str | None, body: bytes, sentence: str) -> None:
    """With the address in it."""

    async def play(visit: Visit) -> None:
        await visit.request()
        if status is not None:
            await visit.say_json(body, status)

    async with scripted(play) as server:
        target = Target("127.0.0.1", server.port)
        with pytest.raises(NoAnswer) as caught:
            await fetch(target, "/v1/models")
    assert sentence in str(caught.value)
    assert target.url in str(caught.value)


async def test_nobody_there_is_one_sentence_too() -> None:
    """It asks whether the server runs."""
    with pytest.raises(NoAnswer, match=r"http://127\.0\.0\.1:1 cannot be reached: .*\. Is it running"):
        await fetch(Target("127.0.0.1", 1), "/v1/models")
