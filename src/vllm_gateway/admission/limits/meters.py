"""Which limits a request has to keep: those of its caller, of its model, and of everybody together."""

from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Literal

from vllm_gateway.callers import Allowance
from vllm_gateway.settings.admission import Limits, LimitSet

MINUTE_S = 60.0
DAY_S = 86_400.0
_SETTINGS = {
    ("requests", 1.0): "requests_per_second",
    ("requests", MINUTE_S): "requests_per_minute",
    ("tokens", MINUTE_S): "tokens_per_minute",
    ("tokens", DAY_S): "tokens_per_day",
    ("concurrent", 0.0): "concurrent",
}


class Kind(Enum):
    """How a limit is counted."""

    RATE = "rate"
    """So much in a window, which fills up again evenly."""
    BUDGET = "budget"
    """So much in a day of UTC."""
    SLOTS = "slots"
    """So much at the same time."""


@dataclass(frozen=True, slots=True)
class Meter:
    """One count that one limit bounds. A request takes one of it; of tokens it takes as many as it may come to."""

    kind: Kind
    of: Literal["requests", "tokens", "concurrent"]
    scope: str
    """Who shares it: `key:…`, `ip:…`, `model:…`, or `all`."""
    amount: int
    window_s: float
    """Of a rate: how long it takes until all of it is there again."""
    is_of_tokens: bool = field(init=False, repr=False, compare=False)
    key: str = field(init=False, repr=False, compare=False)
    """Names what is counted."""

    def __post_init__(self) -> None:
        """Make once what every request asks for."""
        object.__setattr__(self, "is_of_tokens", self.of == "tokens")
        object.__setattr__(self, "key", f"{self.of}:{self.window_s:.0f}:{self.scope}")

    def cost(self, tokens: int) -> int:
        """Return what a request takes that may come to so many tokens."""
        return tokens if self.is_of_tokens else 1

    @property
    def limit(self) -> str:
        """Name of the setting."""
        return _SETTINGS[self.of, self.window_s]


_Part = tuple[Kind, Literal["requests", "tokens", "concurrent"], int, float]


class Meters:
    """Finds the meters of every request; `Accounts` remembers what was found."""

    def __init__(self, settings: Limits) -> None:
        self._every_caller = Allowance(**{each.name: getattr(settings, each.name) for each in fields(Allowance)})
        self._of_every_caller = _parts(self._every_caller)
        self._of_models = {name: _parts(limits) for name, limits in settings.models.items()}
        self._of_all = _parts(settings.total)
        self.are_none = not (self._of_every_caller or self._of_models or self._of_all)
        """Nothing is limited but by what single keys may have of their own."""

    def of(self, scope: str, allowance: Allowance | None, model: str) -> tuple[Meter, ...]:
        """Return the meters of the requests of `scope` to `model`; mostly none."""
        found = _meters(self._of_every_caller if allowance is None else self._own(allowance), scope)
        found += _meters(self._of_models.get(model, ()), f"model:{model}")
        found += _meters(self._of_all, "all")
        return tuple(found)

    def _own(self, allowance: Allowance) -> tuple[_Part, ...]:
        """Return what a key may use: what was settled for it, and for the rest what every caller may."""
        names = [each.name for each in fields(Allowance)]
        every = self._every_caller
        return _parts(Allowance(**{name: getattr(allowance, name) or getattr(every, name) for name in names}))


def _parts(limits: LimitSet | Allowance) -> tuple[_Part, ...]:
    parts: tuple[_Part, ...] = (
        (Kind.RATE, "requests", limits.requests_per_second, 1.0),
        (Kind.RATE, "requests", limits.requests_per_minute, MINUTE_S),
        (Kind.RATE, "tokens", limits.tokens_per_minute, MINUTE_S),
        (Kind.BUDGET, "tokens", limits.tokens_per_day, DAY_S),
        (Kind.SLOTS, "concurrent", limits.concurrent, 0.0),
    )
    return tuple(part for part in parts if part[2])


def _meters(parts: tuple[_Part, ...], scope: str) -> list[Meter]:
    return [Meter(kind, of, scope, amount, window_s) for kind, of, amount, window_s in parts]
