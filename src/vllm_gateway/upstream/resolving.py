"""Names of servers and the addresses behind them, looked up without holding anybody up."""

import asyncio
import contextlib
import ipaddress
import math
import socket
import threading
from collections.abc import Callable
from typing import TypeAlias

from vllm_gateway.clock import Clock
from vllm_gateway.settings.model import Upstream

MAX_ADDRESSES = 256
"""More servers than any route has; what a name resolves to beyond them is not used."""
_FRESH_S = 5.0
"""So long an answer is not asked for again: about as often as a changed address may be missed."""
_PATIENCE_S = 1.0
"""So long a new answer is waited for while there is an old one."""

Addresses: TypeAlias = tuple[str, ...]
"""Addresses in figures, IPv4 or IPv6, in the order in which they are to be tried."""


class Resolved(Upstream):
    """One of the servers behind a name: it is called by the name, and found at its own address."""

    ip: str
    """Where it listens, in figures."""


def is_literal(host: str) -> bool:
    """Say whether a host is an address already, so that there is nothing to look up."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def system_lookup(host: str) -> Addresses:
    """Ask the system, which may take long; raise `OSError` when the name is not known."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except UnicodeError as fault:  # a name that cannot be one
        raise OSError(f"the name cannot be looked up: {fault}") from None
    return tuple(dict.fromkeys(str(where[0]) for *_, where in found))[:MAX_ADDRESSES]


class Lookup:
    """The addresses of one name; an old answer serves while there is no new one.

    The system's resolver knows no time-out of its own, so it is asked in a thread that nobody waits for: neither the
    event loop nor the loop's own threads nor the end of the process. There is one such thread for a name at most.
    """

    def __init__(
        self,
        host: str,
        *,
        clock: Clock,
        fresh_s: float = _FRESH_S,
        patience_s: float = _PATIENCE_S,
        ask: Callable[[str], Addresses] = system_lookup,
    ) -> None:
        self.is_failing = False
        """The last answer was that there is none; `addresses` are those of before, if any."""
        self._host = host
        self._clock = clock
        self._fresh_s = fresh_s
        self._patience_s = patience_s
        self._ask = ask
        self._known: Addresses = ()
        self._known_at = -math.inf
        self._fault: OSError | None = None
        self._under_way: asyncio.Future[None] | None = None

    async def addresses(self) -> Addresses:
        """Return the addresses of the name; the first answer is waited for as long as it takes.

        Raises:
            OSError: the name has never been found, and was not found now.
        """
        if self._clock.now() - self._known_at < self._fresh_s:
            return self._known
        under_way = self._under_way or self._begin()
        await asyncio.wait([under_way], timeout=self._patience_s if self._known else None)
        if self._known:
            return self._known
        raise OSError("the name is not known") from self._fault

    def forget_soon(self) -> None:
        """Ask again next time: what is known has turned out to be of no use."""
        self._known_at = -math.inf

    def _begin(self) -> "asyncio.Future[None]":
        loop = asyncio.get_running_loop()
        self._under_way = under_way = loop.create_future()
        threading.Thread(target=self._run, args=(loop,), name=f"look up {self._host}", daemon=True).start()
        return under_way

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        found: Addresses | OSError
        try:
            found = self._ask(self._host)
        except OSError as fault:
            found = fault
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(self._take, found)

    def _take(self, found: Addresses | OSError) -> None:
        if isinstance(found, OSError):
            self.is_failing, self._fault = True, found
        else:
            self.is_failing, self._fault = False, None
            self._known, self._known_at = found, self._clock.now()
        under_way, self._under_way = self._under_way, None
        if under_way is not None and not under_way.done():
            under_way.set_result(None)
