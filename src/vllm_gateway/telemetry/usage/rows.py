"""Records as rows of a table."""

from typing import Any, overload

from vllm_gateway.telemetry.usage.question import day_of
from vllm_gateway.telemetry.usage.record import UsageRecord
from vllm_gateway.telemetry.usage.store import Entry

_MAX_TEXT = 256
_MAX_TOKENS = 10**12
"""More is a mistake of the replica, and sums have to stay within 64 bits."""


_KEPT = UsageRecord._fields.index("first_token_s") + 1
"""So many of a record's fields have columns; the rest is for the log."""


def row_of(entry: Entry) -> tuple[Any, ...]:
    """Return a row that every database takes, whatever a caller or a replica has said."""
    writer, sequence, record = entry
    if not _is_plain(record):
        record = _made_plain(record)
    return (writer, sequence, day_of(record.ended), *record[:_KEPT])


def _is_plain(record: UsageRecord) -> bool:
    """Say whether a record can stay as it is, as nearly all can; a long one is looked at closely."""
    texts = f"{record.request_id}{record.caller}{record.model_asked}{record.model}{record.replica}"
    return (
        len(texts) <= _MAX_TEXT
        and texts.isascii()
        and texts.isprintable()
        and 0 <= record.prompt_tokens <= _MAX_TOKENS
        and 0 <= record.completion_tokens <= _MAX_TOKENS
        and 0 <= record.cached_tokens <= _MAX_TOKENS
    )


def _made_plain(record: UsageRecord) -> UsageRecord:
    return record._replace(
        request_id=plain(record.request_id),
        caller=plain(record.caller),
        model_asked=plain(record.model_asked),
        model=plain(record.model),
        replica=plain(record.replica),
        prompt_tokens=_tokens(record.prompt_tokens),
        completion_tokens=_tokens(record.completion_tokens),
        cached_tokens=_tokens(record.cached_tokens),
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
