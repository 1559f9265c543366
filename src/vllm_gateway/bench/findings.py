"""All that one run of the load test has found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vllm_gateway.bench.figures import comparison, pairing
from vllm_gateway.bench.figures.comparison import Change
from vllm_gateway.bench.figures.knee import Step
from vllm_gateway.bench.figures.pairing import Added
from vllm_gateway.bench.figures.summary import Summary
from vllm_gateway.bench.load.own_cost import OwnCost
from vllm_gateway.bench.load.record import Record
from vllm_gateway.bench.plan import Plan
from vllm_gateway.bench.words import load_in_words


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of one target."""

    url: str
    records: Sequence[Record]
    summary: Summary
    cost: OwnCost
    by_model: Mapping[str, Summary] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Preparation:
    """What was found out before anything was measured."""

    models: tuple[str, ...]
    version: str | None = None
    """The version of the server, where it tells one."""
    notes: tuple[str, ...] = ()
    """What a reader of the figures should know."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What was measured, and what it comes to."""

    plan: Plan
    prepared: Preparation
    began_wall: float
    through: Measured
    """The target: the gateway. Of a sweep: the step that the knee is at, or the first."""
    direct: Measured | None = None
    """The replica behind it."""
    added: Mapping[str, Mapping[str, Added]] = field(default_factory=dict)
    steps: Sequence[Step] = ()
    notes: tuple[str, ...] = ()

    @property
    def load(self) -> dict[str, Any]:
        """What was asked for, as far as it must be equal in runs that are compared."""
        plan, said = self.plan, self.plan.wishes.prompts
        return {
            "model": ",".join(self.prepared.models),
            "endpoint": plan.asking.endpoint.value,
            "stream": plan.asking.streams,
            "load": load_in_words(plan),
            "prompts": "synthetic" if said.prompts is None else said.prompts.name,
            "synthetic": said.synthetic if said.prompts is None else None,
            "turns": said.turns,
            "shared_prefix": said.shared_prefix,
            "goodput": str(plan.slo) or None,
        }

    @property
    def changes(self) -> list[Change]:
        """How the figures changed since the run to compare with."""
        earlier = self.plan.earlier
        return [] if earlier is None else comparison.changes(earlier, self.through.summary.named())

    def named(self) -> dict[str, float | None]:
        """Return every figure that a condition can ask for."""
        found = self.through.summary.named()
        if self.direct is not None:
            found |= {f"direct.{name}": value for name, value in self.direct.summary.named().items()}
            for measure in pairing.MEASURES:
                for figure in pairing.FIGURES:
                    known = self.added.get(measure, {}).get(figure)
                    found[f"delta.{figure}_{measure}_ms"] = None if known is None else known.value * 1000
        return found | comparison.named(self.changes)

    @property
    def broken(self) -> list[str]:
        """The conditions of `--fail-if` that hold."""
        figures = self.named()
        return [text for text, condition in self.plan.conditions.items() if condition.holds(figures)]

    @property
    def unexpected(self) -> dict[str, int]:
        """How many requests failed in a way that was not announced, by kind."""
        expected = self.plan.wishes.verdict.expect_errors
        found: dict[str, int] = {}
        for errors in [each.summary.errors for each in (self.through, self.direct) if each] + [
            step.summary.errors for step in self.steps if step.summary is not self.through.summary
        ]:
            for kind, count in errors.items():
                if kind not in expected:
                    found[kind] = found.get(kind, 0) + count
        return found

    @property
    def is_passed(self) -> bool:
        """Something was measured, nothing failed unexpectedly, and no condition holds."""
        return self.through.summary.completed > 0 and not self.unexpected and not self.broken
