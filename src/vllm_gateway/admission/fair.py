"""Who is next: the caller who has been served the fewest tokens.

The virtual token counter of Sheng et al., "Fairness in Serving Large Language Models" (OSDI 2024). Each caller has a
counter of the tokens it was served, divided by its weight. Who begins to wait is lifted to the lowest counter of those
who wait already, so that nobody saves up turns by staying away. Who comes next has the lowest counter, together with
what its requests under way are expected to come to. Nobody is lifted to such an expectation: it may turn out too high,
and would then have put the newcomer behind by what the other gets back.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from vllm_gateway.callers import Priority

WEIGHTS = {Priority.INTERACTIVE: 16.0, Priority.STANDARD: 4.0, Priority.BATCH: 1.0}
"""How much of the tokens each class gets of the others' while all of them wait."""
_MAX_CALLERS = 10_000
"""Callers that are remembered although they neither wait nor run."""

T = TypeVar("T")


class FairQueue(Generic[T]):
    """Tickets of callers who wait."""

    def __init__(self) -> None:
        self._served: dict[str, float] = {}
        """The counters."""
        self._lines: dict[str, deque[T]] = {}
        """The tickets of each caller who waits, the oldest first."""
        self._running: Counter[str] = Counter()
        self._expected: dict[str, float] = {}
        """What the requests under way are expected to add to the counters."""
        self._front: deque[T] = deque()
        self._last = 0.0
        """The counter of whoever was served last."""

    def __len__(self) -> int:
        return len(self._front) + sum(map(len, self._lines.values()))

    def __iter__(self) -> Iterator[T]:
        yield from self._front
        for line in self._lines.values():
            yield from line

    def join(self, caller: str, ticket: T) -> None:
        """Begin to wait."""
        if caller not in self._lines:
            lowest = min((self._served[other] for other in self._lines), default=self._last)
            self._served[caller] = max(self._served.get(caller, 0.0), lowest)
            self._lines[caller] = deque()
        self._lines[caller].append(ticket)

    def join_front(self, ticket: T) -> None:
        """Wait before all others: for who has had its turn, and lost it by no fault of its own."""
        self._front.append(ticket)

    def leave(self, caller: str, ticket: T) -> None:
        """Wait no longer; a ticket that is not there is no fault."""
        if ticket in self._front:
            self._front.remove(ticket)
            return
        line = self._lines.get(caller)
        if line is not None and ticket in line:
            line.remove(ticket)
            if not line:
                del self._lines[caller]

    def pop(self, fits: Callable[[T], bool]) -> T | None:
        """Return the ticket whose turn it is of those that fit, and take it out; None when there is none."""
        for ticket in self._front:
            if fits(ticket):
                self._front.remove(ticket)
                return ticket
        for caller in sorted(self._lines, key=self._place):
            line = self._lines[caller]
            for ticket in line:
                if fits(ticket):
                    self._last = self._served[caller]
                    self.leave(caller, ticket)
                    return ticket
        return None

    def _place(self, caller: str) -> tuple[float, int, int]:
        """Return who comes first: of equals those who have the least under way, then those who want the least."""
        expected = self._served[caller] + self._expected.get(caller, 0.0)
        return expected, self._running[caller], len(self._lines[caller])

    def begin(self, caller: str, tokens: float, weight: float) -> None:
        """Note what a request that goes now is expected to come to."""
        self._running[caller] += 1
        self._served.setdefault(caller, self._last)
        self._expected[caller] = self._expected.get(caller, 0.0) + tokens / weight

    def end(self, caller: str, tokens: float | None, weight: float) -> None:
        """Charge what a request has come to; None charges what was expected."""
        expected = self._expected[caller] / self._running[caller]  # whichever it was: in sum it is all the same
        self._served[caller] += expected if tokens is None else tokens / weight
        self._running[caller] -= 1
        self._expected[caller] -= expected
        if not self._running[caller]:
            del self._running[caller], self._expected[caller]
        if len(self._served) > _MAX_CALLERS:
            self._forget()

    def _forget(self) -> None:
        for caller in [each for each in self._served if each not in self._lines and not self._running[each]]:
            del self._served[caller]
