"""This run beside an earlier one."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vllm_gateway import codec
from vllm_gateway.bench.figures.summary import NAMES

_HIGHER_IS_BETTER = frozenset(
    {
        "request_throughput",
        "request_goodput",
        "output_throughput",
        "max_output_tokens_per_s",
        "total_token_throughput",
        "input_throughput",
        "good_share",
    }
)
_NEITHER = frozenset(
    {
        "duration",
        "completed",
        "total_input_tokens",
        "total_output_tokens",
        "total_cached_tokens",
        "max_concurrent_requests",
    }
)
"""How much was asked, not how well it was answered."""


class EarlierUnreadable(ValueError):
    """A file is no result of a run; `str()` of it is one sentence that says why."""


@dataclass(frozen=True, slots=True)
class Change:
    """One figure then and now."""

    name: str
    then: float
    now: float

    @property
    def percent(self) -> float | None:
        """How much it changed; None where it began at zero."""
        if self.then == 0:
            return 0.0 if self.now == 0 else None
        return (self.now - self.then) / abs(self.then) * 100

    @property
    def is_better(self) -> bool | None:
        """None: as good as before, or no matter of better and worse."""
        if self.name in _NEITHER or self.now == self.then:
            return None
        return (self.now > self.then) is (self.name in _HIGHER_IS_BETTER)


def read_earlier(path: Path) -> dict[str, Any]:
    """Return the result of an earlier run, ours or one of `vllm bench serve`; raise `EarlierUnreadable`."""
    try:
        found = codec.loads(path.read_bytes())
    except OSError as problem:
        raise EarlierUnreadable(f"--vs {path} cannot be read: {problem.strerror}.") from problem
    except codec.MalformedJson as mistake:
        raise EarlierUnreadable(f"--vs {path} is no JSON: {mistake}.") from mistake
    if not isinstance(found, dict) or not any(name in found for name in NAMES):
        raise EarlierUnreadable(f"--vs {path} is no result of a load test: it has none of the usual figures.")
    return found


def changes(then: Mapping[str, Any], now: Mapping[str, float | None]) -> list[Change]:
    """Return how those figures changed that both runs have."""
    found = []
    for name in NAMES:
        before, after = then.get(name), now.get(name)
        if isinstance(before, int | float) and after is not None:
            found.append(Change(name, float(before), float(after)))
    return found


def named(found: list[Change]) -> dict[str, float | None]:
    """Return the changes in percent, under the names that `--fail-if` knows."""
    return {f"change.{each.name}": each.percent for each in found}


def doubts(then: Mapping[str, Any], now: Mapping[str, object]) -> list[str]:
    """Return why the changes may not be the server's alone: both were asked something else, or nobody knows."""
    load = (then.get("gateway") or {}).get("load")
    if not load:
        return ["The earlier run does not tell what it asked: the changes may not be the server's alone."]
    other = [name for name, value in now.items() if name in load and load[name] != value]
    return [f"The earlier run differs in {', '.join(other)}: the changes are not the server's alone."] if other else []
