"""What a source of settings gives: values with their places and origins, and problems."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from vllm_gateway.settings.places import Place
from vllm_gateway.settings.problems import Problem


@dataclass(frozen=True, slots=True)
class Assignment:
    """One value for one place, and where it came from."""

    place: Place
    value: object
    origin: str


@dataclass(slots=True)
class Reading:
    """All that one source said."""

    assignments: list[Assignment] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def add(self, assignments: Iterable[Assignment] = (), problems: Iterable[Problem] = ()) -> None:
        """Take more of what the source said."""
        self.assignments.extend(assignments)
        self.problems.extend(problems)
