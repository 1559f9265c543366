"""What counts as a good answer, beyond being a right one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from typing_extensions import override

from vllm_gateway.bench.load.record import Record

MEASURES = ("ttft", "tpot", "itl", "e2el")
_OTHER_NAMES = {"e2e": "e2el"}


@dataclass(frozen=True, slots=True)
class Slo:
    """What a caller may expect of every answer; without any limit every answer is good."""

    limits_ms: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def parse(cls, texts: Sequence[str]) -> "Slo":
        """Return what `ttft:200 tpot:50` says; raise `ValueError` when it says nothing."""
        limits = {}
        for text in (part for each in texts for part in each.replace(",", " ").split()):
            name, _, limit = text.partition(":")
            name = _OTHER_NAMES.get(name, name)
            if name not in MEASURES or not _is_positive(limit):
                raise ValueError(
                    f"--goodput {text}: it takes a measure and milliseconds, as in ttft:200; the measures are "
                    f"{', '.join(MEASURES)}."
                )
            limits[name] = float(limit)
        return cls(limits)

    def is_met(self, record: Record) -> bool:
        """Say whether an answer is right and within every limit; a measure that an answer does not have is."""
        measured = {
            "ttft": record.ttft_s,
            "tpot": record.tpot_s,
            "itl": record.mean_gap_s,
            "e2el": record.e2e_s,
        }
        return record.is_good and all(
            (value := measured[name]) is None or value * 1000 <= limit for name, limit in self.limits_ms.items()
        )

    @override
    def __str__(self) -> str:
        return " ".join(f"{name}:{limit:g}" for name, limit in self.limits_ms.items())


def _is_positive(text: str) -> bool:
    try:
        return 0 < float(text) < float("inf")
    except ValueError:
        return False
