"""One question on one connection."""

import socket

import pytest

from tests.scripted import Visit, scripted
from tests.waiting import until
from vllm_gateway.terminal.api import StreamBroken, Target, Unreachable
from vllm_gateway.terminal.api.wire import asking


async def test_a_question_carries_key_body_and_path() -> None:
    """The head is what HTTP asks for, and the connection ends with the answer."""
    heads: list[bytes] = []

    async def play(visit: Visit) -> None:
        heads.append(await visit.request())
        await visit.say_json(b'{"ok": true}', extra=b"X-Seen: Yes\r\n")
        await visit.until_closed()

    async with scripted(play) as server:
        target = Target.at(f"127.0.0.1:{server.port}/llm/v1", "k")
        async with asking(target, "POST", "/v1/x", b"{}", patience_s=10) as answer:
            assert await answer.whole() == b'{"ok": true}'
            assert (answer.status, answer.headers["x-seen"]) == (200, "Yes")
        await until(lambda: server.visits[0].closed_at is not None)
    head = heads[0].decode()
    assert head.startswith("POST /llm/v1/x HTTP/1.1\r\n")
    assert "authorization: Bearer k\r\n" in head
    assert head.endswith("\r\n\r\n{}")


async def test_leaving_closes_the_connection() -> None:
    """Whoever does not read to the end is gone for the other side, too."""

    async def play(visit: Visit) -> None:
        await visit.request()
        await visit.say_stream_head()
        await visit.until_closed()

    async with scripted(play) as server:
        async with asking(Target.at(f"127.0.0.1:{server.port}"), "GET", "/", None, patience_s=10) as answer:
            assert answer.status == 200
        await until(lambda: server.visits[0].closed_at is not None)


@pytest.mark.parametrize(
    ("said", "fault", "sentence"),
    [
        (b"", Unreachable, "without an answer"),
        (b"SSH-2.0-x\r\n", Unreachable, "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", StreamBroken, "broke the answer off"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", StreamBroken, "broke"),
    ],
)
async def test_a_broken_answer_says_how_far_it_came(said: bytes, fault: type[Exception], sentence: str) -> None:
    """No answer and half an answer are told apart."""

    async def play(visit: Visit) -> None:
        await visit.request()
        await visit.say(said)

    async with scripted(play) as server:
        with pytest.raises(fault, match=sentence):
            async with asking(Target.at(f"127.0.0.1:{server.port}"), "GET", "/", None, patience_s=10) as answer:
                await answer.whole()


async def test_nobody_there_is_one_sentence() -> None:
    """A port on which nothing listens is named."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(Unreachable, match=f"No gateway answers at http://127.0.0.1:{port}"):
        async with asking(Target.at(f"127.0.0.1:{port}"), "GET", "/", None, patience_s=10):
            pass


async def test_a_silent_server_is_given_up() -> None:
    """An answer that does not begin in time is none."""

    async def play(visit: Visit) -> None:
        await visit.until_closed()

    async with scripted(play) as server:
        with pytest.raises(Unreachable, match="does not answer"):
            async with asking(Target.at(f"127.0.0.1:{server.port}"), "GET", "/", None, patience_s=0.05):
                pass
