"""What the records of one run come to."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain

from vllm_gateway.bench.figures.distribution import Distribution
from vllm_gateway.bench.figures.goodput import Slo
from vllm_gateway.bench.load.record import Record

TIMES = ("ttfb", "ttft", "tpot", "itl", "e2el", "queue")
"""The times of which distributions are told, under the names that `vllm bench serve` uses where it has them."""
FIGURES = ("mean", "median", "std", "p50", "p90", "p95", "p99")
_TOTALS = (
    "duration",
    "completed",
    "failed",
    "total_input_tokens",
    "total_output_tokens",
    "request_throughput",
    "request_goodput",
    "output_throughput",
    "total_token_throughput",
    "max_output_tokens_per_s",
    "max_concurrent_requests",
)
_OURS = ("error_rate", "good_share", "total_cached_tokens", "input_throughput")
NAMES = (*_TOTALS, *_OURS, *(f"{figure}_{time}_ms" for time in TIMES for figure in FIGURES))
"""Every figure that has a name: in the JSON, in `--fail-if`, in comparisons."""


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of one run."""

    duration_s: float
    completed: int
    errors: Mapping[str, int]
    """How many requests failed, by kind."""
    good: int
    """Answers within every limit of `--goodput`."""
    input_tokens: int
    output_tokens: int
    cached_tokens: int | None
    """Prompt tokens out of the prefix cache; None where the server does not tell."""
    without_usage: int
    """Good answers in which the server did not tell the tokens: they are not in the tokens' figures."""
    times: Mapping[str, Distribution | None]
    """In seconds, by the names of `TIMES`."""
    most_output_per_s: float
    most_at_once: int

    @property
    def failed(self) -> int:
        """Requests that were not answered wholly and well."""
        return sum(self.errors.values())

    @property
    def asked(self) -> int:
        """All requests."""
        return self.completed + self.failed

    def named(self) -> dict[str, float | None]:
        """Return every figure of `NAMES`; None where there was nothing to measure."""
        seconds = self.duration_s or float("inf")
        found: dict[str, float | None] = {
            "duration": self.duration_s,
            "completed": self.completed,
            "failed": self.failed,
            "total_input_tokens": self.input_tokens,
            "total_output_tokens": self.output_tokens,
            "request_throughput": self.completed / seconds,
            "request_goodput": self.good / seconds,
            "output_throughput": self.output_tokens / seconds,
            "total_token_throughput": (self.input_tokens + self.output_tokens) / seconds,
            "max_output_tokens_per_s": self.most_output_per_s,
            "max_concurrent_requests": self.most_at_once,
            "error_rate": self.failed / self.asked if self.asked else None,
            "good_share": self.good / self.asked if self.asked else None,
            "total_cached_tokens": self.cached_tokens,
            "input_throughput": self.input_tokens / seconds,
        }
        for name in TIMES:
            spread = self.times[name]
            for figure in FIGURES:
                found[f"{figure}_{name}_ms"] = None if spread is None else getattr(spread, figure) * 1000
        return found


def summarize(records: Sequence[Record], duration_s: float, slo: Slo | None = None) -> Summary:
    """Return the figures of some requests, which took `duration_s` together."""
    good = [each for each in records if each.is_good]
    wanted = slo or Slo()
    cached = [each.cached_tokens for each in good if each.cached_tokens is not None]
    return Summary(
        duration_s=duration_s,
        completed=len(good),
        errors=dict(Counter(each.error for each in records if each.error is not None).most_common()),
        good=sum(1 for each in good if wanted.is_met(each)),
        input_tokens=sum(each.input_tokens or 0 for each in good),
        output_tokens=sum(each.output_tokens or 0 for each in good),
        cached_tokens=sum(cached) if cached else None,
        without_usage=sum(1 for each in good if each.input_tokens is None),
        times={
            "ttfb": Distribution.of(each.ttfb_s for each in good),
            "ttft": Distribution.of(each.ttft_s for each in good),
            "tpot": Distribution.of(each.tpot_s for each in good),
            "itl": Distribution.of(chain.from_iterable(each.gaps_s for each in good)),
            "e2el": Distribution.of(each.e2e_s for each in good),
            "queue": Distribution.of(each.queue_s for each in good),
        },
        most_output_per_s=_most_output_per_s(good),
        most_at_once=_most_at_once(records),
    )


def _most_output_per_s(good: Sequence[Record]) -> float:
    """Return the most outputs of streams that came within one whole second."""
    seconds: Counter[int] = Counter()
    began_at = min((each.planned_at for each in good), default=0.0)
    for each in good:
        if each.first_output_at is not None:
            moments = accumulate(each.gaps_s, initial=each.first_output_at - began_at)
            seconds.update(int(moment) for moment in moments)
    return float(max(seconds.values(), default=0))


def _most_at_once(records: Sequence[Record]) -> int:
    """Return how many requests were under way at the busiest moment."""
    turns = []
    for each in records:
        if each.sent_at is not None and each.last_output_at is not None:
            turns += [(each.sent_at, 1), (each.last_output_at, -1)]
    now = most = 0
    for _, step in sorted(turns):
        now += step
        most = max(most, now)
    return most
