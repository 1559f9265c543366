"""Every exchange is opened here once and closed here once, with one outcome."""

import logging
from collections import Counter
from collections.abc import Callable

from vllm_gateway.clock import Clock
from vllm_gateway.exchange import Exchange
from vllm_gateway.outcomes import Outcome
from vllm_gateway.telemetry.usage.record import UsageRecord, record_of

log = logging.getLogger(__name__)


class Ledger:
    """What is under way, and how everything else ended."""

    def __init__(self, clock: Clock) -> None:
        self.live: dict[int, Exchange] = {}
        """The exchanges that are under way; ids that callers choose may repeat, so the key is our own."""
        self.outcomes: Counter[Outcome] = Counter()
        """How often each outcome came about."""
        self.begun: list[Callable[[Exchange], None]] = []
        """Who looks at every exchange once, when it begins; they return at once."""
        self.told: list[Callable[[UsageRecord], None]] = []
        """Who is told of every exchange once, when it is over; they return at once."""
        self.seen: list[Callable[[Exchange, UsageRecord], None]] = []
        """Who looks at every exchange once, when it is over; they return at once and keep nothing but the record."""
        self._clock = clock

    def open(self, exchange: Exchange) -> None:
        """Begin to keep an exchange."""
        self.live[id(exchange)] = exchange
        for begin in self.begun:
            begin(exchange)

    def close(self, exchange: Exchange, outcome: Outcome) -> None:
        """Close it; a second time changes nothing."""
        if self.live.pop(id(exchange), None) is None:
            return
        exchange.outcome = outcome
        self.outcomes[outcome] += 1
        record = record_of(exchange, outcome, self._clock)
        for see in self.seen:
            see(exchange, record)
        for tell in self.told:
            tell(record)
        if log.isEnabledFor(logging.DEBUG):
            self._tell(exchange, outcome)

    def _tell(self, exchange: Exchange, outcome: Outcome) -> None:
        usage = exchange.usage
        log.debug(
            "%s %s: %s, status %d, model %r, replica %s, attempts %d, tokens %s, %.1f ms",
            exchange.id,
            exchange.operation.path,
            outcome.value,
            exchange.status,
            exchange.model,
            exchange.replica or "none",
            exchange.attempts,
            f"{usage.prompt_tokens}+{usage.completion_tokens}" if usage else "unknown",
            (self._clock.now() - exchange.started) * 1000,
        )
