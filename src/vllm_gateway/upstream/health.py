"""When a replica is fit to be asked: a circuit breaker as a pure transition table over what was seen of it.

Live requests, probes and the replica's own count of tokens all give signs. The states are those of every circuit
breaker:

    closed      it is asked.
    open        it is not asked. Ejected at a bad sign, it stays out for a time: a longer one each time that it
                is out again soon.
    half-open   it is well by its own words; one live request tries it, and decides.

A refusal for having too much to do is no bad sign: a replica that protects itself is to be left in peace for a moment,
not for long.
"""

from dataclasses import dataclass, field, replace
from enum import Enum, auto

FAILURES_IN_A_ROW = 3
"""One failure may be the request's own doing; three different ones in a row are the replica's."""
_SOON = 10
"""A replica that is out again within so many times the length of its last ejection has not recovered from it."""


class Sign(Enum):
    """What was seen of a replica."""

    ANSWERED = auto()
    """It answered a request to the end."""
    FAILED = auto()
    """It broke off, was silent, or answered with an error of its own."""
    OVERLOADED = auto()
    """It refused a request because it has too much to do."""
    UNREACHABLE = auto()
    """No connection could be made."""
    PROBE_ANSWERED = auto()
    """It says that it is well, and what it serves."""
    PROGRESSED = auto()
    """It says that it is well, and has made tokens since the last look."""
    PROBE_FAILED = auto()
    """It did not answer a probe, or says that it is not well."""
    STALLED = auto()
    """It says that it is well, and makes no tokens although requests are running."""


class State(Enum):
    """Whether it is asked."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


_FINAL = frozenset({Sign.UNREACHABLE, Sign.STALLED})
"""Signs that need no company: every further request would end in the same way."""


@dataclass(frozen=True, slots=True)
class Ejecting:
    """How long a replica stays out."""

    least_s: float = 2.0
    most_s: float = 120.0


EJECTING = Ejecting()
"""Until the settings say otherwise."""


@dataclass(frozen=True, slots=True)
class Health:
    """What is held of a replica. A new one is open: nothing is known of it, and its first answered probe closes it."""

    state: State = State.OPEN
    failures: int = 0
    """Bad signs since the last good one; never 0 in a replica that was ejected and has not yet answered a request."""
    missed: int = 0
    """How many of them are probes."""
    cause: Sign | None = None
    """Why it is out; None of one that is closed, or was never in."""
    until: float = 0.0
    """It stays open until then at least."""
    ejected_s: float = 0.0
    """How long it was ejected for last; 0 of one that never was."""
    since: float = 0.0
    """When it was closed last."""
    is_tried: bool = False
    """The one request that may try it is under way."""
    is_closed: bool = field(init=False)
    is_usable: bool = field(init=False)
    """It may be asked. Worked out once, because every request wants to know."""

    def __post_init__(self) -> None:
        """Work out what follows from the rest."""
        object.__setattr__(self, "is_closed", self.state is State.CLOSED)
        is_to_try = self.state is State.HALF_OPEN and not self.is_tried
        object.__setattr__(self, "is_usable", self.is_closed or is_to_try)

    @property
    def is_doubtful(self) -> bool:
        """It is out for no more than failures, which may not be its own fault; or it is being tried."""
        if self.state is State.OPEN:
            return self.cause in {Sign.FAILED, Sign.PROBE_FAILED}
        return self.state is State.HALF_OPEN

    def after(self, sign: Sign, now: float, ejecting: Ejecting = EJECTING) -> "Health":
        """Return what is held after a sign."""
        match sign:
            case Sign.OVERLOADED:
                return self
            case Sign.ANSWERED:
                return self._answered(now)
            case Sign.PROBE_ANSWERED:
                return self._probed(now, ejecting)
            case Sign.PROGRESSED:
                # What tries it may be a stream of many minutes. The tokens say enough.
                return self._closed(now) if self.is_tried else self._probed(now, ejecting)
            case Sign.UNREACHABLE | Sign.STALLED | Sign.FAILED | Sign.PROBE_FAILED:
                return self._marred(sign, now, ejecting)

    def tried(self) -> "Health":
        """Return what is held when a request is sent to it."""
        return replace(self, is_tried=True) if self.state is State.HALF_OPEN and not self.is_tried else self

    def untried(self) -> "Health":
        """Return what is held when the request that tried it ended without a verdict: another one may try."""
        return replace(self, is_tried=False) if self.is_tried else self

    def _answered(self, now: float) -> "Health":
        """Believe an answer to the request that tries it; of one that is out, it may be an old request's."""
        if self.state is State.CLOSED:
            return replace(self, failures=0, missed=0)
        return self._closed(now) if self.is_tried else self

    def _probed(self, now: float, ejecting: Ejecting) -> "Health":
        """Believe an answered probe of one that is new or was started again; others are tried, and not too soon."""
        if self.state is State.CLOSED:
            return replace(self, failures=self.failures - self.missed, missed=0) if self.missed else self
        if self.state is State.HALF_OPEN:
            return self
        was_restarted = self.cause is Sign.UNREACHABLE and self.ejected_s <= ejecting.least_s
        if not self.ejected_s or was_restarted:
            return self._closed(now)
        return replace(self, state=State.HALF_OPEN) if now >= self.until else self

    def _marred(self, sign: Sign, now: float, ejecting: Ejecting) -> "Health":
        """Count a bad sign, and eject the replica when it is one too many."""
        failures, missed = self.failures + 1, self.missed + (sign is Sign.PROBE_FAILED)
        if self.state is State.OPEN:
            cause = sign if sign in _FINAL else self.cause
            return replace(self, failures=failures, missed=missed, cause=cause)
        if self.state is State.CLOSED and sign not in _FINAL and failures < FAILURES_IN_A_ROW:
            return replace(self, failures=failures, missed=missed)
        ejected_s = self._next_s(now, ejecting)
        return Health(State.OPEN, failures, missed, sign, now + ejected_s, ejected_s, self.since)

    def _next_s(self, now: float, ejecting: Ejecting) -> float:
        """Return for how long it is ejected: twice as long as last time, if it had not recovered from that."""
        is_soon = self.state is State.HALF_OPEN or now - self.since <= _SOON * self.ejected_s
        longer_s = 2 * self.ejected_s if is_soon else 0.0
        return min(max(longer_s, ejecting.least_s), ejecting.most_s)

    def _closed(self, now: float) -> "Health":
        return Health(State.CLOSED, ejected_s=self.ejected_s, since=now)
