"""A caller notes what it hears, whatever it is."""

import pytest

from tests.scripted import Visit, scripted
from vllm_gateway.chaos.caller import Target, ask


async def test_an_answer_is_heard_whole() -> None:
    """Status, headers, body, times and the proper end are noted; the key is sent."""

    async def play(visit: Visit) -> None:
        assert b"authorization: Bearer sesame\r\n" in await visit.request()
        await visit.say_json(b'{"a":1}', extra=b"X-Left: 7\r\n")

    async with scripted(play) as replica:
        heard = await ask(Target("127.0.0.1", replica.port, key="sesame"), "/v1/x", {}, patience_s=5)
    assert (heard.status, bytes(heard.body), heard.headers["x-left"]) == (200, b'{"a":1}', "7")
    assert (heard.is_whole, heard.is_hung) == (True, False)
    assert heard.asked_at < heard.arrivals[0] <= heard.ended_at


async def test_a_break_is_heard_as_a_break() -> None:
    """What came before a reset is kept, and the answer is not whole."""

    async def play(visit: Visit) -> None:
        await visit.request()
        await visit.say_stream_head()
        await visit.say_events(b"data: 1\n\n")
        visit.reset()

    async with scripted(play) as replica:
        heard = await ask(Target("127.0.0.1", replica.port), "/v1/x", {}, patience_s=5)
    assert (heard.is_whole, heard.is_hung) == (False, False)


async def test_silence_ends_with_the_callers_patience() -> None:
    """A caller that hears nothing says that it hung."""

    async def play(visit: Visit) -> None:
        await visit.request()
        await visit.reader.read()

    async with scripted(play) as replica:
        heard = await ask(Target("127.0.0.1", replica.port), "/v1/x", {}, patience_s=0.05)
    assert (heard.status, heard.is_hung) == (None, True)


async def test_nobody_there_is_no_answer() -> None:
    """A refused connection is an answer without a status."""
    heard = await ask(Target("127.0.0.1", 1), "/v1/x", {}, patience_s=5)
    assert (heard.status, heard.is_whole, heard.is_hung) == (None, False, False)


async def test_a_caller_may_leave() -> None:
    """A caller that has heard enough closes its connection in the midst of the answer."""

    async def play(visit: Visit) -> None:
        await visit.request()
        await visit.say_stream_head()
        await visit.say_events(b"data: 1\n\n")
        await visit.reader.read()

    async with scripted(play) as replica:
        target = Target("127.0.0.1", replica.port)
        heard = await ask(target, "/v1/x", {}, patience_s=5, leave_when=lambda heard: bool(heard.arrivals))
    assert (bytes(heard.body), heard.is_whole, heard.is_hung) == (b"data: 1\n\n", False, False)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://127.0.0.1:4000", Target("127.0.0.1", 4000)),
        ("127.0.0.1:4000/v1/", Target("127.0.0.1", 4000)),
        ("https://gateway.example/llm/v1", Target("gateway.example", 443, "/llm", is_tls=True)),
    ],
)
def test_an_address_is_understood(url: str, target: Target) -> None:
    """With or without a scheme, a path and `/v1`."""
    assert Target.at(url) == target


def test_no_address_is_refused() -> None:
    """What is no address of an HTTP server is said to be none."""
    with pytest.raises(ValueError, match="is no address of a gateway"):
        Target.at("ftp://x")
