"""From what was counted and timed to figures: pure."""

import math
import statistics
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field, fields

from benchmarks.accounting import Sample

MIB = 1024 * 1024


def _seconds() -> "array[float]":
    return array("d")


@dataclass(slots=True)
class Tally:
    """What the load client has counted and timed, in seconds."""

    requests: int = 0
    """Complete and right answers."""
    events: int = 0
    errors: int = 0
    """Connections lost while waiting, and answers with another status than 200."""
    short: int = 0
    """Streams that ended with fewer events than asked for; some gateways add one."""
    latencies: "array[float]" = field(default_factory=_seconds)
    first_events: "array[float]" = field(default_factory=_seconds)
    gaps: "array[float]" = field(default_factory=_seconds)
    """Times between the events of a stream; 0 between events that were read together."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run has shown, or the median of several; a figure that makes no sense for the scenario is None."""

    seconds: float | None
    requests_per_s: float | None
    p50_ms: float | None
    p99_ms: float | None
    cpu_s_per_1000_requests: float | None
    events_per_s: float | None
    cpu_s_per_100k_events: float | None
    ttft_p50_ms: float | None
    ttft_p99_ms: float | None
    gap_p99_ms: float | None
    peak_rss_mb: float | None
    target_busy: float | None
    """Share of one core that the target used."""
    load_busy: float | None
    """Share of one core that the client and the replica used together."""
    client_busy: float | None
    other_busy: float | None
    """Share of one core that programs outside this benchmark used."""
    errors: int
    short: int
    unfinished: int
    """Requests without an end when the time to wait for it was over."""


COUNTS = ("errors", "short", "unfinished")


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """Return the least value that at least this share of the ordered values does not exceed."""
    if not ordered:
        return None
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def figures(
    *, before: Sample, after: Sample, window: Tally, whole: Sequence[Tally], unfinished: int, peak_rss_bytes: int
) -> Figures:
    """Return the figures of one window of time; what went wrong counts in the `whole` run, not only in the window."""
    seconds = after.at_s - before.at_s
    target_s = after.target_cpu_s - before.target_cpu_s
    replica_s = after.replica_cpu_s - before.replica_cpu_s
    client_s = after.client_cpu_s - before.client_cpu_s
    latencies, first_events, gaps = sorted(window.latencies), sorted(window.first_events), sorted(window.gaps)
    return Figures(
        seconds=seconds,
        requests_per_s=window.requests / seconds,
        p50_ms=_ms(percentile(latencies, 0.50)),
        p99_ms=_ms(percentile(latencies, 0.99)),
        cpu_s_per_1000_requests=target_s / window.requests * 1000 if window.requests else None,
        events_per_s=window.events / seconds if window.events else None,
        cpu_s_per_100k_events=target_s / window.events * 100_000 if window.events else None,
        ttft_p50_ms=_ms(percentile(first_events, 0.50)),
        ttft_p99_ms=_ms(percentile(first_events, 0.99)),
        gap_p99_ms=_ms(percentile(gaps, 0.99)),
        peak_rss_mb=peak_rss_bytes / MIB,
        target_busy=target_s / seconds,
        load_busy=(client_s + replica_s) / seconds,
        client_busy=client_s / seconds,
        other_busy=max(0.0, after.other_cpu_s - before.other_cpu_s) / seconds,
        errors=sum(tally.errors for tally in whole),
        short=sum(tally.short for tally in whole),
        unfinished=unfinished,
    )


def summary(repetitions: Sequence[Figures]) -> Figures:
    """Return the median of each figure over the repetitions, and the sum of each count of what went wrong."""
    merged: dict[str, float | None] = {}
    for each in fields(Figures):
        values = [value for one in repetitions if (value := getattr(one, each.name)) is not None]
        if each.name in COUNTS:
            merged[each.name] = sum(values)
        else:
            merged[each.name] = statistics.median(values) if values else None
    return Figures(**merged)  # type: ignore[arg-type]  # the counts are sums of integers


def ratio(one: float | None, other: float | None) -> float | None:
    """Return how many times `other` the one is."""
    return one / other if one is not None and other else None


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000
