"""Who asks: a caller, what it may use, and how urgent it is."""

from dataclasses import dataclass, field
from enum import StrEnum


class Priority(StrEnum):
    """How urgent a caller's requests are when there is not enough room for all."""

    INTERACTIVE = "interactive"
    """Somebody sits before it and waits."""
    STANDARD = "standard"
    BATCH = "batch"
    """It may take as long as it takes."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What may be used; 0 sets no limit."""

    requests_per_minute: int = 0
    requests_per_second: int = 0
    tokens_per_minute: int = 0
    """Of prompts and answers together."""
    tokens_per_day: int = 0
    """The same; a day is one of UTC."""
    concurrent: int = 0
    """Requests at the same time."""

    @property
    def has_tokens(self) -> bool:
        """Say whether it bounds tokens."""
        return bool(self.tokens_per_minute or self.tokens_per_day)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, as far as the gateway must tell callers apart."""

    id: str
    """The same for everything that one caller sends; says nothing of its key."""
    models: frozenset[str] = frozenset()
    """The only models that it may ask for; empty: every model."""
    allowance: Allowance | None = None
    """What it may use, where that was settled for its key; None: what the settings say of every caller."""
    priority: Priority = Priority.STANDARD
    upstream_key: bytes = field(default=b"", repr=False)
    """The key that a replica is to check itself; empty: the gateway's own key is sent."""


ANONYMOUS = Caller("")
"""Everybody, where no keys are asked for."""
