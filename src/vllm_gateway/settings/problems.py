"""What is wrong with the settings: all of it, told at once."""

from collections.abc import Iterable
from dataclasses import dataclass

from vllm_gateway.settings.places import Place, written


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to correct. Its text never holds the value of a setting that may be secret."""

    origin: str
    """Where the value came from: `gateway.yaml:3`, `environment GATEWAY_PORT`, `flag --port`."""

    sentence: str
    """What is wrong and what to do, to be read after the place."""

    place: Place = ()
    """The setting that is wrong; empty when it is the source itself."""

    @property
    def line(self) -> str:
        """The problem in one line, for people."""
        return f"{self.origin}: " + " ".join(part for part in (written(self.place), self.sentence) if part)


class SettingsInvalid(Exception):
    """The settings cannot be used; `problems` tells all reasons."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(dict.fromkeys(problems))
        super().__init__("\n".join(problem.line for problem in self.problems))
