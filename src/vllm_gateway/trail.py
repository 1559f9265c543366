"""What an exchange leaves behind for those who measure: how long each step took, and what stood in its way."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from vllm_gateway.clock import SystemClock


@dataclass(slots=True)
class Call:
    """One replica that was asked, once."""

    replica: str
    path: str
    """What it was asked for."""
    began: float
    """When a place on it was taken, on the gateway's clock."""
    span: int = 0
    """Its span, where the exchange belongs to a trace."""
    connected_at: float | None = None
    """When there was a connection; None: it did not come to that."""
    ended: float | None = None
    """None: it goes on."""
    result: str = ""
    """`ok`, `cancelled`, or the code of the error; empty while it goes on."""
    status: int = 0
    """Status of its answer; 0: there was none, or not to the end."""


@dataclass(slots=True)
class Trace:
    """The trace that an exchange belongs to (W3C Trace Context)."""

    id: int
    parent: int
    """The caller's span; 0: the trace begins here."""
    is_sampled: bool
    state: bytes = b""
    """The caller's `tracestate`, as it came."""
    goes_on: bool = True
    """Replicas are told of it."""
    span: int = 0
    """The span of the exchange itself."""

    def told(self, call: Call) -> bytes:
        """Return the lines that tell a replica of it, and give the call its span."""
        call.span = new_span()
        if not self.goes_on:
            return b""
        line = b"traceparent: 00-%032x-%016x-%02x\r\n" % (self.id, call.span, self.is_sampled)
        return line + b"tracestate: " + self.state + b"\r\n" if self.state else line


@dataclass(slots=True)
class Explanation:
    """How replicas were chosen, for a caller who asked; values as JSON has them."""

    policy: str = ""
    replicas: dict[str, dict[str, Any]] = field(default_factory=dict)
    """How those of the route were, by name, when they were first looked at."""
    choices: list[dict[str, Any]] = field(default_factory=list)
    """Who was chosen each time, and among whom."""


@dataclass(slots=True)
class Trail:
    """The steps of one exchange, each noted once and where it happens; None: it did not come to that."""

    now: Callable[[], float] = SystemClock.now
    """The gateway's clock."""
    at: float = 0.0
    """When the step before ended."""
    auth_s: float | None = None
    """Until it was known who asks."""
    read_s: float | None = None
    """Understanding and checking the body, once it was there."""
    route_s: float | None = None
    """From there to the first replica that was asked, without what it had to wait."""
    connect_s: float | None = None
    """Until there was a connection to that replica."""
    queue_s: float = 0.0
    """Waiting for a replica: for room on it, or until it was awake."""
    first_token_at: float | None = None
    """When the first event of a stream that is no comment left for the caller."""
    error: str = ""
    """The code of what it failed with."""
    limit: tuple[str, str] | None = None
    """The limit that refused it: its name, and whose it is."""
    budget: tuple[float, float] | None = None
    """The share of its caller's tokens for today that was in use, and until when it is the same day."""
    calls: list[Call] = field(default_factory=list)
    """The replicas that were asked, one after the other; those of a race beside each other."""
    trace: Trace | None = None
    """None: it is not traced."""
    explanation: Explanation | None = None
    """None: nobody asked for one who may."""

    def step(self) -> float:
        """Return the seconds since the last step, and begin another."""
        return self.step_at(self.now())

    def step_at(self, now: float) -> float:
        """Do the same for who knows what time it is."""
        took_s, self.at = now - self.at, now
        return took_s

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Take what is done meanwhile for a wait."""
        began = self.now()
        try:
            yield
        finally:
            self.queue_s += self.now() - began


def new_span() -> int:
    """Return the id of a new span: any number of 64 bits but 0."""
    return random.getrandbits(64) or 1
