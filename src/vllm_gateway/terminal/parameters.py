"""What a model is told about how to answer: the parameters that people set, and their bounds."""

from collections.abc import Mapping
from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a parameter may be."""

    low: float
    high: float
    is_whole: bool = False

    def read(self, name: str, text: str) -> float:
        """Return the number that somebody typed; raise `ValueError` with a sentence when it is none of these."""
        kind = "a whole number" if self.is_whole else "a number"
        try:
            value = int(text) if self.is_whole else float(text)
        except ValueError:
            value = float("nan")
        if not self.low <= value <= self.high:
            raise ValueError(f"{name} is {kind} from {self.low:g} to {self.high:g}, not '{text}'.")
        return value


BOUNDS = {
    "temperature": Bounds(0, 2),
    "top_p": Bounds(0, 1),
    "max_tokens": Bounds(1, 1_000_000, is_whole=True),
    "seed": Bounds(0, 2**31 - 1, is_whole=True),
}


@dataclass(frozen=True, slots=True)
class Parameters:
    """How a model shall answer; None leaves it to the server."""

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    seed: int | None = None

    @classmethod
    def read(cls, said: Mapping[str, object]) -> "Parameters":
        """Return what is said about them; empty texts say nothing. Raise `ValueError` with a sentence for mistakes."""
        texts = {name: "" if said.get(name) is None else str(said[name]).strip() for name in BOUNDS}
        return cls(**{name: BOUNDS[name].read(name, text) for name, text in texts.items() if text})  # type: ignore[arg-type] # whole numbers are whole

    def body(self) -> dict[str, float | int]:
        """Return the members of a request's body; what is not set is left out."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    def over(self, other: "Parameters") -> "Parameters":
        """Return these, and where they say nothing, the other's."""
        return Parameters(**(other.body() | self.body()))  # type: ignore[arg-type] # as above
