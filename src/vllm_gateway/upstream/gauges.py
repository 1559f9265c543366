"""What a replica's own metrics say of how busy it is, and of how far it has come."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_RUNNING = b"num_requests_running"
_WAITING = b"num_requests_waiting"
_CACHE = (b"kv_cache_usage_perc", b"gpu_cache_usage_perc")
"""Today's name, and the one before it."""
_TOKENS = (b"generation_tokens", b"prompt_tokens")
_PREFIX = (b"prefix_cache_queries", b"prefix_cache_hits")
_SERIES = re.compile(
    rb"^vllm:(num_requests_running|num_requests_waiting|kv_cache_usage_perc|gpu_cache_usage_perc"
    rb"|(?:generation_tokens|prompt_tokens|prefix_cache_queries|prefix_cache_hits)(?=_total|[{ ]))(?:_total)?"
    rb'(?:\{((?:[^"}\n]|"(?:[^"\\\n]|\\.)*")*)\})?[ \t]+(\S+)',
    re.MULTILINE,
)
_ENGINE = re.compile(rb'(?:^|[,\s])engine="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Engine:
    """One engine of a replica; there are several where data parallel ranks share an address."""

    running: int = 0
    waiting: int = 0
    tokens: float | None = None
    """Tokens read and made since it began; None where it does not tell."""
    kv_cache_usage: float = 0.0
    """Share of its KV cache that is in use, 0 to 1."""
    read_tokens: float = 0.0
    """Tokens of prompts since it began."""
    made_tokens: float = 0.0
    """Tokens of answers since it began."""
    sought_tokens: float = 0.0
    """Tokens that were looked for in its prefix cache."""
    found_tokens: float = 0.0
    """How many of them were there."""


@dataclass(frozen=True, slots=True)
class Gauges:
    """Requests inside a replica, over all its engines."""

    running: int
    waiting: int
    engines: Mapping[bytes, Engine] = field(default_factory=dict, compare=False)
    """Each engine by its number; `b""` where there is but one that has none."""


def read_gauges(page: bytes) -> Gauges | None:
    """Read a page of Prometheus' text format; None when it says nothing of this."""
    found: dict[bytes, dict[bytes, float]] = {}
    for name, labels, text in _SERIES.findall(page):
        try:
            value = float(text)
        except ValueError:
            continue
        if math.isfinite(value):
            number = _ENGINE.search(labels)
            series = found.setdefault(number[1] if number else b"", {})
            series[name] = series.get(name, 0.0) + value
    if not any(name in series for series in found.values() for name in (_RUNNING, _WAITING)):
        return None
    engines = {number: _engine(series) for number, series in found.items()}
    return Gauges(
        running=sum(engine.running for engine in engines.values()),
        waiting=sum(engine.waiting for engine in engines.values()),
        engines=engines,
    )


def _engine(series: Mapping[bytes, float]) -> Engine:
    return Engine(
        running=int(series.get(_RUNNING, 0)),
        waiting=int(series.get(_WAITING, 0)),
        tokens=sum(series.get(name, 0.0) for name in _TOKENS) if _TOKENS[0] in series else None,
        kv_cache_usage=max(series.get(name, 0.0) for name in _CACHE),
        read_tokens=series.get(_TOKENS[1], 0.0),
        made_tokens=series.get(_TOKENS[0], 0.0),
        sought_tokens=series.get(_PREFIX[0], 0.0),
        found_tokens=series.get(_PREFIX[1], 0.0),
    )
