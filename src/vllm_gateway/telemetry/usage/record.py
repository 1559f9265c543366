"""What is kept of a request that is over: numbers and names, nothing of what was said."""

from typing import NamedTuple

from vllm_gateway.clock import Clock
from vllm_gateway.exchange import Exchange, Headers, Usage
from vllm_gateway.outcomes import Outcome


class UsageRecord(NamedTuple):
    """One request that is over. A tuple, because that is made quickest and is a row as it stands."""

    request_id: str
    path: str
    """Of a route that names something, the pattern: the name of a session lets one in."""
    started: float
    ended: float
    outcome: str
    status: int
    """0 when there was no reply, as when the caller left before it."""
    caller: str | None
    """The id of the caller's key."""
    model_asked: str | None
    """As the caller wrote it."""
    model: str | None
    """The one that answered; None when it came to none."""
    replica: str | None
    attempts: int
    resumed: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    first_token_s: float | None = None
    """Seconds to the first token, where they were measured."""
    error: str = ""
    """The code of what it failed with."""
    is_stream: bool = False
    """A stream was asked for."""
    queue_s: float = 0.0
    """Seconds that it waited for a replica."""
    cache: str | None = None
    """What the caller was told of the cache."""


_NOTHING = Usage(0, 0)
_X_CACHE = b"x-cache"


def record_of(exchange: Exchange, outcome: Outcome, clock: Clock) -> UsageRecord:
    """Return what is kept of an exchange that ends now."""
    usage, trail, asked, started = used_by(exchange), exchange.trail, exchange.asked, exchange.started
    ended = clock.wall()
    return UsageRecord(
        exchange.id,
        exchange.operation.path,
        ended - (clock.now() - started),
        ended,
        str(outcome),
        exchange.status,
        exchange.caller.id or None,
        asked.model if asked is not None else None,
        exchange.model,
        exchange.replica,
        exchange.attempts,
        exchange.resumed,
        usage.prompt_tokens,
        usage.completion_tokens,
        usage.cached_tokens,
        None if trail.first_token_at is None else trail.first_token_at - started,
        trail.error,
        asked is not None and asked.stream,
        trail.queue_s,
        _cache_in(exchange.told),
    )


def _cache_in(told: Headers) -> str | None:
    for name, value in told:
        if name == _X_CACHE:
            return value.decode("latin-1")
    return None


def used_by(exchange: Exchange) -> Usage:
    """Return what an exchange came to; of a stream that broke off, as far as its replica said."""
    if exchange.usage is not None:
        return exchange.usage
    watch = exchange.watch
    if watch is None or not watch.has_data:
        return _NOTHING
    return watch.usage_so_far() or _NOTHING
