"""The state of a conversation, as plain values. Times are seconds since the epoch."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation."""

    fields: dict[str, Any]
    """What a model server is sent for it: `role`, `content`, and whatever else belongs to it."""
    tokens: int = 0
    """About how many tokens it takes in a prompt; 0 when nothing is known. Only trimming's first guess rests on it."""


@dataclass(frozen=True, slots=True)
class Session:
    """A conversation without its messages."""

    id: str
    """Names it to its owner; on some routes it is the only credential, so it is never logged."""
    owner: str
    """The caller that it belongs to; nobody else gets to know that it exists."""
    created: float
    used: float
    """When it was begun or last changed: from then on it lives for `ttl_s`."""
    ttl_s: float
    """How long it lives after its last use; 0: for ever."""
    model: str | None = None
    """The model that answers its turns, as the owner named it; None leaves the choice to the gateway's defaults."""
    title: str | None = None
    system_prompt: str | None = None
    turns: int = 0
    """Turns that were completed."""
    input_tokens: int = 0
    """Tokens of all prompts so far."""
    output_tokens: int = 0
    """Tokens of all answers so far."""
    prompt_tokens: int = 0
    """Tokens of the last prompt."""
    messages: int = 0
    """How many messages it holds in all."""
    first_kept: int = 0
    """Place of the oldest message that models still see; those before it were dropped for want of room."""
    replica: str | None = None
    """Name of the replica that answered last: its cache knows the conversation."""

    def is_expired(self, now: float) -> bool:
        """Say whether it has outlived its last use."""
        return bool(self.ttl_s) and now >= self.used + self.ttl_s

    def expires_in(self, now: float) -> float | None:
        """Return the seconds that it has left; None when it lives for ever."""
        return max(0.0, self.used + self.ttl_s - now) if self.ttl_s else None


@dataclass(frozen=True, slots=True)
class Changes:
    """What an owner may change of a session."""

    values: dict[str, str | None]
    """New values by name: any of `model`, `title`, `system_prompt`."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A session whose next turn has been begun."""

    session: Session
    window: tuple[Message, ...]
    """The messages that models still see, from `session.first_kept` on."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What a completed turn adds to its session."""

    messages: tuple[Message, ...]
    """What was said, and what was answered."""
    first_kept: int
    prompt_tokens: int
    output_tokens: int
    replica: str | None
    at: float


@dataclass(frozen=True, slots=True)
class KeptResponse:
    """One answer of the Responses API, kept so that a later request can go on from it."""

    id: str
    owner: str
    created: float
    expires: float
    """0: never."""
    chain: tuple[str, ...]
    """The responses before it, the first one first."""
    input: list[Any]
    """The items that were said to get it; those of the chain are not repeated."""
    response: dict[str, Any]
    """The response object as its caller saw it."""
    replica: str | None = None

    def is_expired(self, now: float) -> bool:
        """Say whether it is kept no longer."""
        return bool(self.expires) and now >= self.expires
