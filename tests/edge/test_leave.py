"""Callers who wait for leave to send, on the ways that the ASGI server answers; the lanes' own are with the lanes."""

import pytest

from tests.gateway import gateway, raw

LAST = b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
WAITING = b"host: x\r\ncontent-type: application/json\r\nexpect: 100-continue\r\ncontent-length: %d\r\n\r\n"


@pytest.mark.parametrize("line", [b"POST /nowhere", b"PUT /v1/chat/completions", b"GET /livez"])
async def test_who_gets_an_answer_instead_of_leave_is_not_heard_further(line: bytes) -> None:
    """What follows may be the body or another request, so that it is neither."""
    async with gateway() as door:
        answer = await raw(door.port, line + b" HTTP/1.1\r\n" + WAITING % len(LAST) + LAST[:-1])
        silent = await raw(door.port, line + b" HTTP/1.1\r\n" + WAITING % 5)
    for each in (answer, silent):
        assert each.count(b"HTTP/1.1 ") == 1
        assert each.count(b"connection: close\r\n") == 1


async def test_who_has_sent_all_is_heard_further() -> None:
    """The body came without leave: it is clear where the next request begins."""
    async with gateway() as door:
        answer = await raw(door.port, b"POST /nowhere HTTP/1.1\r\n" + WAITING % 2 + b"{}" + LAST)
    assert answer.count(b"HTTP/1.1 ") == 2


async def test_who_gets_leave_goes_on() -> None:
    """A body that is wanted is asked for, and the connection stays."""
    asked = b"POST /v1/messages/count_tokens HTTP/1.1\r\n"
    async with gateway() as door:
        answer = await raw(door.port, asked + WAITING % 2 + b"{}" + LAST)
    assert answer.count(b"connection: close\r\n") == 1
    assert answer.endswith(b'{"ok":true}')
