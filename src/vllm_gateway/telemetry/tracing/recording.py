"""Requests become spans when they are over, in a thread of their own: no request waits for whoever collects them."""

import logging
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from vllm_gateway.clock import Clock
from vllm_gateway.exchange import Exchange
from vllm_gateway.outcomes import Outcome
from vllm_gateway.settings.model import Tracing
from vllm_gateway.telemetry.tracing.context import Context, context_in, new_trace
from vllm_gateway.telemetry.tracing.spans import Span, Story, spans_of, story_of
from vllm_gateway.telemetry.usage.record import UsageRecord
from vllm_gateway.trail import Trace, new_span

log = logging.getLogger(__name__)

MOST_HELD = 20_000
"""Requests that wait to become spans; more are counted and forgotten."""
_AT_ONCE = 32
"""Requests whose spans are sent together, some three for each."""
_BREATH_S = 0.001
"""Writing spans down is work for Python, for some milliseconds at a time; in between all else has its turn."""
_TURN_S = 0.001
"""How long that may keep whoever has news from a socket waiting. Python's own 5 ms are paid again with every look at
the sockets, and show in first tokens (`benchmarks/observing.py`)."""
_LAST_WORDS_S = 5.0


class Outlet(Protocol):
    """Where spans go, and which traces are worth it."""

    every_s: float
    """How long spans may wait to be sent."""

    def decide(self, trace: int, parent: Context | None, name: str) -> bool:
        """Say whether a trace is sampled."""
        ...

    def send(self, spans: Sequence[tuple[Trace, Span]]) -> bool:
        """Send spans, each of its trace; say whether they have arrived. It may take long."""
        ...

    def close(self) -> None:
        """Send nothing more; what is being sent is given up."""
        ...


class Recording:
    """Gives every exchange its trace, and sends its spans when it is over."""

    def __init__(
        self,
        outlet: Outlet,
        settings: Tracing,
        *,
        clock: Clock,
        caller: Callable[[str], str],
        most_held: int = MOST_HELD,
    ) -> None:
        """`caller` gives the name to tell for the id of a caller's key."""
        self.lost = 0
        """Spans that there was no room for, or that nobody took."""
        self._outlet = outlet
        self._goes_on = settings.to_replicas
        self._content_bytes = settings.content_bytes
        self._clock = clock
        self._caller = caller
        self._most_held = most_held
        self._held: deque[Story] = deque()
        self._turn_before_s = sys.getswitchinterval()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="traces", daemon=True)

    def open(self) -> None:
        """Begin to send."""
        self._turn_before_s = sys.getswitchinterval()
        sys.setswitchinterval(min(_TURN_S, self._turn_before_s))
        self._thread.start()

    def begin(self, exchange: Exchange) -> None:
        """Give an exchange its trace: the caller's, where it brings one."""
        parent = context_in(exchange.headers)
        trace = parent.trace if parent is not None else new_trace()
        exchange.trail.trace = Trace(
            trace,
            parent.span if parent is not None else 0,
            self._outlet.decide(trace, parent, exchange.operation.path),
            parent.state if parent is not None else b"",
            self._goes_on,
            new_span(),
        )

    def see(self, exchange: Exchange, record: UsageRecord) -> None:
        """Take in an exchange that ends now."""
        trace = exchange.trail.trace
        if trace is None or not trace.is_sampled:
            return
        if len(self._held) >= self._most_held:
            self.lost += 1
            return
        who = exchange.caller.id
        caller = self._caller(who) if who else ""
        outcome = Outcome(record.outcome)
        self._held.append(story_of(exchange, outcome, trace, caller=caller, content_bytes=self._content_bytes))

    def close(self) -> None:
        """Send what is held, unless that takes too long; it blocks."""
        self._is_over.set()
        self._thread.join(_LAST_WORDS_S)
        self._outlet.close()
        sys.setswitchinterval(self._turn_before_s)

    def _run(self) -> None:
        lost_told = 0
        while not self._is_over.wait(self._outlet.every_s):
            self._send()
            if self.lost > lost_told:
                log.error("the traces of %d requests are lost: the collector does not take them", self.lost - lost_told)
                lost_told = self.lost
        self._send()

    def _send(self) -> None:
        """Send what is there now, some at a time."""
        wall = self._clock.wall() - self._clock.now()
        left = len(self._held)
        while left > 0:
            stories = [self._held.popleft() for _ in range(min(left, _AT_ONCE))]
            left -= len(stories)
            spans = [(story.trace, span) for story in stories for span in spans_of(story, wall=wall)]
            try:
                has_arrived = self._outlet.send(spans)
            except Exception:  # whatever it is, the next ones may arrive, and nothing else may notice
                log.exception("spans could not be sent")
                has_arrived = False
            self.lost += 0 if has_arrived else len(stories)
            self._is_over.wait(_BREATH_S)
