"""Requests as no client sends them, byte by byte, and what comes back."""

import re
from collections.abc import Mapping

from tests.gateway import Gateway, raw
from tests.wire.sims import asked
from vllm_gateway.sim import RunningSim

CHAT = b"/v1/chat/completions"
BODY = b'{"model":"sim-small","messages":[{"role":"user","content":"Hello"}],"max_tokens":2}'
SECOND = b"GET /v1/models HTTP/1.1\r\nhost: second\r\n\r\n"
"""A request hidden behind another one."""
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")


def post(*headers: bytes, body: bytes = BODY, path: bytes = CHAT, host: bytes = b"host: x") -> bytes:
    """Return a request to chat; headers are whole lines, and one about the length is added when `body` has none."""
    lines = [b"POST %s HTTP/1.1" % path, *([host] if host else []), *headers, b"content-length: %d" % len(body)]
    return b"\r\n".join([*lines, b"", body])


def statuses(answer: bytes) -> list[int]:
    """Return the status of every reply on a connection."""
    return [int(each) for each in _STATUS.findall(answer)]


async def differing(
    door: Gateway, requests: Mapping[str, bytes], *expected: int, closes: bool = True
) -> dict[str, list[int]]:
    """Send each request on a connection of its own; return the statuses of those that went otherwise than expected.

    Expected is one reply, with one of these statuses.
    """
    found: dict[str, list[int]] = {}
    for name, request in requests.items():
        answer = await raw(door.port, request, until_closed=closes)
        replied = statuses(answer)
        if len(replied) != 1 or replied[0] not in expected:
            found[name] = replied
        elif closes and b"\r\nconnection: close\r\n" not in answer:
            found[name] = [*replied, 0]
    return found


async def is_well(door: Gateway, sim: RunningSim) -> bool:
    """Say whether nothing has reached the replica until now, and a good request still does."""
    if asked(sim):
        return False
    answer = await raw(door.port, post(b"connection: close"))
    return statuses(answer) == [200] and len(asked(sim)) == 1
