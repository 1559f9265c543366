"""Records as rows of a table."""

from typing import Any, overload

from vllm_gateway.telemetry.usage.question import day_of
from vllm_gateway.telemetry.usage.store import Entry

_MAX_TEXT = 256
_MAX_TOKENS = 10**12
"""More is a mistake of the replica, and sums have to stay within 64 bits."""


def row_of(entry: Entry) -> tuple[Any, ...]:
    """Return a row that every database takes, whatever a caller or a replica has said."""
    record = entry.record
    return (
        entry.writer,
        entry.sequence,
        day_of(record.ended),
        plain(record.request_id),
        record.path,
        record.started,
        record.ended,
        str(record.outcome),
        record.status,
        plain(record.caller),
        plain(record.model_asked),
        plain(record.model),
        plain(record.replica),
        record.attempts,
        record.resumed,
        _tokens(record.prompt_tokens),
        _tokens(record.completion_tokens),
        _tokens(record.cached_tokens),
        record.first_token_s,
    )


@overload
def plain(words: str) -> str: ...
@overload
def plain(words: None) -> None: ...
@overload
def plain(words: str | None) -> str | None: ...
def plain(words: str | None) -> str | None:
    """Return text in printable ASCII, escaped where it is not and cut off where it is long."""
    if words is None or (len(words) <= _MAX_TEXT and words.isascii() and words.isprintable()):
        return words
    return words[:_MAX_TEXT].encode("unicode_escape").decode("ascii")[:_MAX_TEXT]


def _tokens(count: int) -> int:
    return min(max(count, 0), _MAX_TOKENS)
