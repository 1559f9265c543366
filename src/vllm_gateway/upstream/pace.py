"""How busy a replica is and how fast, from one look at its metrics to the next; nothing is decided by it."""

from collections.abc import Callable
from dataclasses import dataclass

from vllm_gateway.upstream.gauges import Engine, Gauges


@dataclass(frozen=True, slots=True)
class Pace:
    """What the last two looks say."""

    at: float = 0.0
    """When the last one was, on the gateway's clock."""
    running: int | None = None
    """Requests that it is answering; None before the first look, and when it tells nothing."""
    waiting: int | None = None
    kv_cache_usage: float | None = None
    """Share of its KV cache that is in use, 0 to 1; of several engines, the mean."""
    prefix_hit_rate: float | None = None
    """Share of the tokens of prompts that its prefix cache knew, by the last look that saw any."""
    read_tokens_per_s: float | None = None
    """Tokens of prompts per second; None when there was only one look, or it was started again in between."""
    made_tokens_per_s: float | None = None
    """Tokens of answers per second; None likewise."""
    _gauges: Gauges | None = None

    def after(self, gauges: Gauges | None, now: float) -> "Pace":
        """Return what is known after one more look; None: it told nothing."""
        if gauges is None or not gauges.engines:
            return Pace(now)
        engines = gauges.engines.values()
        sought, found = self._grown(gauges, _sought), self._grown(gauges, _found)
        return Pace(
            now,
            gauges.running,
            gauges.waiting,
            sum(engine.kv_cache_usage for engine in engines) / len(engines),
            found / sought if sought and found is not None else self._hit_rate_before(gauges),
            self._per_s(self._grown(gauges, _read), now),
            self._per_s(self._grown(gauges, _made), now),
            gauges,
        )

    def _hit_rate_before(self, gauges: Gauges) -> float | None:
        """Return the rate of before; at the first look, that of all its life."""
        if self._gauges is not None:
            return self.prefix_hit_rate
        sought = _sum(gauges, _sought)
        return _sum(gauges, _found) / sought if sought else None

    def _grown(self, gauges: Gauges, count: Callable[[Engine], float]) -> float | None:
        """Return by how much a count has grown; None when nobody can say."""
        if self._gauges is None:
            return None
        grown = _sum(gauges, count) - _sum(self._gauges, count)
        return grown if grown >= 0 else None

    def _per_s(self, grown: float | None, now: float) -> float | None:
        return grown / (now - self.at) if grown is not None and now > self.at else None


def _sum(gauges: Gauges, count: Callable[[Engine], float]) -> float:
    return sum(count(engine) for engine in gauges.engines.values())


def _read(engine: Engine) -> float:
    return engine.read_tokens


def _made(engine: Engine) -> float:
    return engine.made_tokens


def _sought(engine: Engine) -> float:
    return engine.sought_tokens


def _found(engine: Engine) -> float:
    return engine.found_tokens
