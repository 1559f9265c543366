"""Whether the load client itself was the limit."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from vllm_gateway.bench.load.record import Record
from vllm_gateway.clock import SystemClock

_TICK_S = 0.02
_MOST_CPU_SHARE = 0.9
_MOST_LAG_S = 0.01
_now = SystemClock.now


@dataclass(frozen=True, slots=True)
class OwnCost:
    """What the client used, and how late it was."""

    cpu_s: float = 0.0
    wall_s: float = 0.0
    events: int = 0
    """Server-sent events, or whole answers where there are none."""
    loop_lag_p99_s: float = 0.0
    """How late its own timers were: so late it may have read what had come in."""
    send_lag_p99_s: float = 0.0
    """How much later than planned requests were sent."""
    connections: int = 0

    @classmethod
    def of_all(cls, costs: "Sequence[OwnCost]") -> "OwnCost":
        """Return what several runs cost together; of their lags the worst."""
        return cls(
            sum(each.cpu_s for each in costs),
            sum(each.wall_s for each in costs),
            sum(each.events for each in costs),
            max((each.loop_lag_p99_s for each in costs), default=0.0),
            max((each.send_lag_p99_s for each in costs), default=0.0),
            sum(each.connections for each in costs),
        )

    @property
    def cpu_share(self) -> float:
        """The share of one core that it used; at 1 it can do no more."""
        return self.cpu_s / self.wall_s if self.wall_s > 0 else 0.0

    @property
    def cpu_us_per_event(self) -> float:
        """What one event cost, requests included."""
        return self.cpu_s / self.events * 1e6 if self.events else 0.0

    @property
    def limit(self) -> str | None:
        """One sentence that says why the figures are the client's rather than the server's; None: they are not."""
        if self.cpu_share > _MOST_CPU_SHARE:
            return f"The client used {self.cpu_share:.0%} of a core: it could not have driven more load than this."
        if self.loop_lag_p99_s > _MOST_LAG_S:
            return (
                f"The client was {self.loop_lag_p99_s * 1000:.0f} ms late at p99: its machine was too busy for times "
                "as short as that."
            )
        if self.send_lag_p99_s > _MOST_LAG_S:
            return (
                f"Requests were sent {self.send_lag_p99_s * 1000:.0f} ms later than planned at p99; the figures count "
                "that time as the server's."
            )
        return None


class CostWatch:
    """Watches this process while it makes load; begin it, let it end with what was measured."""

    def __init__(self) -> None:
        self._lags: list[float] = []
        self._cpu_s = 0.0
        self._began_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Begin to watch."""
        self._cpu_s = time.process_time()
        self._began_at = _now()
        self._tick(self._began_at)

    def end(self, records: Sequence[Record], connections: int) -> OwnCost:
        """Stop, and return what was found."""
        if self._timer is not None:
            self._timer.cancel()
        return OwnCost(
            time.process_time() - self._cpu_s,
            _now() - self._began_at,
            sum(each.events or 1 for each in records),
            _p99(self._lags),
            _p99([each.late_s for each in records]),
            connections,
        )

    def _tick(self, planned_at: float) -> None:
        now = _now()
        self._lags.append(max(0.0, now - planned_at))
        self._timer = asyncio.get_running_loop().call_later(_TICK_S, self._tick, now + _TICK_S)


def _p99(values: Sequence[float]) -> float:
    ordered = sorted(values)
    return ordered[int(len(ordered) * 0.99)] if ordered else 0.0
