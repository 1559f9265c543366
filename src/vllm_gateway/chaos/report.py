"""What is printed: a table for people, the same as JSON for programs."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vllm_gateway.chaos.judging import Grade
from vllm_gateway.chaos.leaving import Leaving
from vllm_gateway.chaos.playing import Played
from vllm_gateway.chaos.scenarios import GENERAL, SCENARIOS, How

_COLUMNS = "  {name:<11} {title:<28} {grade:<8} {right:>9} {attempts:>9} {silence:>16}"

_HEADINGS = {
    "name": "scenario",
    "title": "what goes wrong",
    "grade": "verdict",
    "right": "right",
    "attempts": "attempts",
    "silence": "longest silence",
}


@dataclass(frozen=True, slots=True)
class Report:
    """All that was found."""

    gateway: str
    played: tuple[Played, ...]
    leaving: Leaving | None
    seconds: float

    @property
    def is_passed(self) -> bool:
        """Every scenario passed."""
        return bool(self.played) and all(each.verdict.grade is Grade.PASS for each in self.played)


def table(report: Report) -> str:
    """Return the table, the reasons of what did not pass, and the figures."""
    lines = [
        f"{report.gateway}, {report.seconds:.0f} s",
        "",
        _COLUMNS.format(**_HEADINGS).rstrip(),
        *(line for each in report.played for line in _rows(each)),
        "",
        *_figures(report),
    ]
    return "\n".join(lines) + "\n"


def _rows(played: Played) -> list[str]:
    row = _COLUMNS.format(
        name=played.scenario.name,
        title=played.scenario.title,
        grade=played.verdict.grade.label,
        right=f"{min(played.right, played.asked)}/{played.asked}",
        attempts=f"{_attempts(played):.2f}" if played.asked else "-",
        silence=_span(played.silences_s),
    )
    return [row.rstrip(), *(f"  {'':<11} {line}" for line in reasons(played))]


def reasons(played: Played) -> list[str]:
    """Return what was less than good, each with how often, the worst first."""
    if not played.is_settled:
        return [played.verdict.reason]
    found = Counter((verdict.grade, verdict.reason) for verdict in played.verdicts if verdict.grade is not Grade.PASS)
    return [f"{grade.label} {times}x: {reason}" for (grade, reason), times in sorted(found.items())]


def _figures(report: Report) -> list[str]:
    grades = Counter(each.verdict.grade for each in report.played)
    told = ", ".join(f"{grades[grade]} {grade.label}" for grade in reversed(Grade))
    lines = [f"{grades[Grade.PASS]} of {len(report.played)} scenarios pass ({told})."]
    asked, attempts = _totals(report.played)
    if asked:
        lines.append(f"Attempts per request: {attempts / asked:.2f} over all.")
    failing = [each for each in report.played if each.scenario.how in {How.ONE_REPLICA, How.FLAPPING}]
    if failing:
        asked, attempts = _totals(failing)
        lines.append(f"Attempts per request while one replica fails: {attempts / max(1, asked):.2f} (wanted: 1.2).")
    if report.leaving is not None:
        lines.append(_left(report.leaving))
    return lines


def _left(leaving: Leaving) -> str:
    if not leaving.closed_s:
        return f"Callers who leave: none of {leaving.callers} connections to the replicas was closed."
    median, late = (percentile(leaving.closed_s, share) * 1000 for share in (0.5, 0.99))
    return (
        f"Callers who leave: the replica's connection closes after {median:.1f} ms (p50), {late:.1f} ms (p99); "
        f"{len(leaving.closed_s)} of {leaving.callers} closed."
    )


def as_json(report: Report) -> dict[str, Any]:
    """Return the same for programs."""
    leaving = report.leaving
    asked, attempts = _totals(report.played)
    return {
        "gateway": report.gateway,
        "seconds": round(report.seconds, 1),
        "passed": sum(each.verdict.grade is Grade.PASS for each in report.played),
        "scenarios": [_object(each) for each in report.played],
        "attempts_per_request": round(attempts / asked, 3) if asked else None,
        "upstream_close_ms": None if leaving is None else _spread(leaving.closed_s),
    }


def _object(played: Played) -> dict[str, Any]:
    return {
        "name": played.scenario.name,
        "title": played.scenario.title,
        "verdict": played.verdict.grade.label,
        "requests": played.asked,
        "right": min(played.right, played.asked),
        "faults_met": played.met,
        "attempts_per_request": round(_attempts(played), 3) if played.asked else None,
        "silence_ms": _spread(played.silences_s),
        "reasons": reasons(played),
    }


def _spread(seconds: Sequence[float]) -> dict[str, Any]:
    ordered = sorted(seconds)
    figures = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    told = {name: round(percentile(ordered, share) * 1000, 1) if ordered else None for name, share in figures.items()}
    return {"count": len(ordered), **told}


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the value that so great a share of `ordered`, which is not empty, does not exceed."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _totals(played: Sequence[Played]) -> tuple[int, int]:
    return sum(each.asked for each in played), sum(each.attempts for each in played)


def _attempts(played: Played) -> float:
    return played.attempts / max(1, played.asked)


def _span(seconds: Sequence[float]) -> str:
    if not seconds:
        return "-"
    ordered = sorted(seconds)
    return f"{percentile(ordered, 0.5) * 1000:.0f}..{ordered[-1] * 1000:.0f} ms"


def listing() -> str:
    """Return what the scenarios are and what the grades mean."""
    lines = []
    for each in SCENARIOS:
        lines += [f"{each.name}: {each.title}", f"  {each.broken}", f"  Passes: {each.wanted}"]
    lines += ["", *(f"{grade}: {meaning}" for grade, meaning in GENERAL.items())]
    return "\n".join(lines) + "\n"
