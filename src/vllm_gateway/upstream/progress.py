"""Whether a replica gets on with its work: from one look at its metrics to the next."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from vllm_gateway.upstream.gauges import Engine, Gauges


@dataclass(frozen=True, slots=True)
class _Seen:
    """One engine at the last look."""

    engine: Engine
    since: float
    """When it was last seen idle, or getting on."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What is known of how a replica gets on.

    Every engine is looked at by itself, because a rank that stands still does so beside busy ones. It stands still when
    it has requests running, now and at the last look, and has neither read nor made a token in between. vLLM counts the
    tokens of a prompt when all of it was read; meanwhile, its share of the KV cache grows.
    """

    has_moved: bool = False
    """It has read or made tokens since the look before the last one."""
    _seen: Mapping[bytes, _Seen] = field(default_factory=dict)

    def after(self, gauges: Gauges, now: float) -> "Progress":
        """Return what is known after one more look."""
        seen, has_moved = {}, False
        for number, engine in gauges.engines.items():
            last = self._seen.get(number)
            if last is None or _gets_on(last.engine, engine):
                has_moved = has_moved or (last is not None and last.engine.tokens != engine.tokens)
                seen[number] = _Seen(engine, now)
            else:
                seen[number] = _Seen(engine, last.since)
        return Progress(has_moved, seen)

    def still_since(self) -> float | None:
        """Return when the one of its engines that gets on least was last seen to; None when none has work."""
        return min((each.since for each in self._seen.values() if each.engine.running), default=None)

    def is_stalled(self, now: float, stalled_s: float) -> bool:
        """Say whether one of its engines has been standing still for so long."""
        since = self.still_since()
        return since is not None and now - since >= stalled_s


def _gets_on(last: Engine, engine: Engine) -> bool:
    """Say whether an engine has nothing to do, or has done some of it between two looks."""
    if engine.tokens is None or not engine.running or not last.running or engine.tokens != last.tokens:
        return True
    has_same_requests = (engine.running, engine.waiting) == (last.running, last.waiting)
    return has_same_requests and engine.kv_cache_usage > last.kv_cache_usage
