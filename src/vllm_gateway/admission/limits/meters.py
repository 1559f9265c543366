"""Which limits a request has to keep: those of its caller, of its model, and of everybody together."""

from dataclasses import dataclass, field, fields
from enum import Enum
from functools import lru_cache
from typing import Literal

from vllm_gateway.callers import Allowance
from vllm_gateway.settings.admission import Limits, LimitSet

MINUTE_S = 60.0
DAY_S = 86_400.0
_CALLERS_KEPT = 4096
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
    """One limit, and what one request wants of it."""

    kind: Kind
    of: Literal["requests", "tokens", "concurrent"]
    scope: str
    """Who shares it: `key:…`, `ip:…`, `model:…`, or `all`."""
    amount: int
    window_s: float
    """Of a rate: how long it takes until all of it is there again."""
    cost: int
    key: tuple[str, float, str] = field(init=False, repr=False, compare=False)
    """Names what is counted; requests of one caller have the same, whatever they cost."""

    def __post_init__(self) -> None:
        """Make the key once: a meter is looked up with every request."""
        object.__setattr__(self, "key", (self.of, self.window_s, self.scope))

    @property
    def limit(self) -> str:
        """Name of the setting."""
        return _SETTINGS[self.of, self.window_s]

    @property
    def is_beyond(self) -> bool:
        """Say whether the request wants more than there ever is."""
        return self.cost > self.amount


_Part = tuple[Kind, Literal["requests", "tokens", "concurrent"], int, float]


class Meters:
    """Finds the meters of every request; what the settings alone decide is decided once."""

    def __init__(self, settings: Limits) -> None:
        self._every_caller = Allowance(**{each.name: getattr(settings, each.name) for each in fields(Allowance)})
        self._of_every_caller = _parts(self._every_caller)
        self._of_models = {name: _parts(limits) for name, limits in settings.models.items()}
        self._of_all = _parts(settings.total)
        self._are_of_tokens = _has_tokens(self._of_every_caller) or _has_tokens(self._of_all)
        self._token_models = {name for name, parts in self._of_models.items() if _has_tokens(parts)}
        self.are_none = not (self._of_every_caller or self._of_models or self._of_all)
        """Nothing is limited but by what single keys may have of their own."""
        self._of_caller = lru_cache(_CALLERS_KEPT)(self._own)
        self._found = lru_cache(_CALLERS_KEPT)(self._find)

    def of(self, scope: str, allowance: Allowance | None, model: str, tokens: int) -> tuple[Meter, ...]:
        """Return the meters of a request of `scope` to `model` that may come to `tokens`; mostly none."""
        return self._found(scope, allowance, model, tokens if self.counts_tokens(allowance, model) else 0)

    def counts_tokens(self, allowance: Allowance | None, model: str) -> bool:
        """Say whether any limit on tokens might hold for a request."""
        return self._are_of_tokens or model in self._token_models or (allowance is not None and allowance.has_tokens)

    def _find(self, scope: str, allowance: Allowance | None, model: str, tokens: int) -> tuple[Meter, ...]:
        own = self._of_every_caller if allowance is None else self._of_caller(allowance)
        of_model = self._of_models.get(model, ())
        if not own and not of_model and not self._of_all:
            return ()
        found = _meters(own, scope, tokens)
        if of_model:
            found += _meters(of_model, f"model:{model}", tokens)
        if self._of_all:
            found += _meters(self._of_all, "all", tokens)
        return tuple(found)

    def _own(self, allowance: Allowance) -> tuple[_Part, ...]:
        """Return what a key may use: what was settled for it, and for the rest what every caller may."""
        names = [each.name for each in fields(Allowance)]
        every = self._every_caller
        return _parts(Allowance(**{name: getattr(allowance, name) or getattr(every, name) for name in names}))


def _has_tokens(parts: tuple[_Part, ...]) -> bool:
    return any(of == "tokens" for _, of, _, _ in parts)


def _parts(limits: LimitSet | Allowance) -> tuple[_Part, ...]:
    parts: tuple[_Part, ...] = (
        (Kind.RATE, "requests", limits.requests_per_second, 1.0),
        (Kind.RATE, "requests", limits.requests_per_minute, MINUTE_S),
        (Kind.RATE, "tokens", limits.tokens_per_minute, MINUTE_S),
        (Kind.BUDGET, "tokens", limits.tokens_per_day, DAY_S),
        (Kind.SLOTS, "concurrent", limits.concurrent, 0.0),
    )
    return tuple(part for part in parts if part[2])


def _meters(parts: tuple[_Part, ...], scope: str, tokens: int) -> list[Meter]:
    """Return the meters of one scope; a request that no model works for has no tokens to count."""
    return [
        Meter(kind, of, scope, amount, window_s, tokens if of == "tokens" else 1)
        for kind, of, amount, window_s in parts
        if tokens or of != "tokens"
    ]
