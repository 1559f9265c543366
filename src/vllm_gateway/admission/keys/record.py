"""What is kept of a client key: whose it is and what it may, never the key itself."""

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from vllm_gateway.admission.keys.secret import digest, hint
from vllm_gateway.callers import Allowance, Caller, Priority

NO_LIMITS = Allowance()
MAX_NAME_CHARACTERS = 64
CALLER_DIGITS = 16
"""So many digits of a key's digest make the id of its caller."""

_ID_BYTES = 6


class RecordInvalid(ValueError):
    """An entry is none; `str()` of it is one sentence that names the entry."""


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """One client key."""

    id: str
    """`key_` and twelve hexadecimal digits; names the key to those who look after it."""
    name: str
    """For people; several keys may have the same."""
    digest: str
    """SHA-256 of the key, in hexadecimal."""
    hint: str
    """The key's first characters."""
    models: tuple[str, ...] = ()
    """The only models that may be asked for; empty: every model."""
    allowance: Allowance = NO_LIMITS
    priority: Priority = Priority.STANDARD
    created: float = 0.0
    """Wall time, as the others."""
    expires: float | None = None
    """From then on the key is refused; None: it never expires."""
    revoked: float | None = None

    def is_valid(self, wall: float) -> bool:
        """Say whether the key opens the door at this time."""
        return self.revoked is None and (self.expires is None or wall < self.expires)

    def caller(self) -> Caller:
        """Return who comes in with the key. One without limits of its own has those that the settings say."""
        return Caller(
            id=caller_id(bytes.fromhex(self.digest)),
            models=frozenset(self.models),
            allowance=None if self.allowance == NO_LIMITS else self.allowance,
            priority=self.priority,
        )

    def as_row(self) -> dict[str, Any]:
        """Return the record as plain values under flat names."""
        return {
            "id": self.id,
            "name": self.name,
            "digest": self.digest,
            "hint": self.hint,
            "models": list(self.models),
            **asdict(self.allowance),
            "priority": self.priority.value,
            "created": self.created,
            "expires": self.expires,
            "revoked": self.revoked,
        }


def caller_id(key_digest: bytes) -> str:
    """Return the id of the caller who has the key: always the same, and it says nothing of the key."""
    return f"key-{key_digest.hex()[:CALLER_DIGITS]}"


def new_record(
    secret: str,
    *,
    name: str,
    created: float,
    models: tuple[str, ...] = (),
    allowance: Allowance = NO_LIMITS,
    priority: Priority = Priority.STANDARD,
    expires: float | None = None,
) -> KeyRecord:
    """Return the record of a new key.

    Raises:
        RecordInvalid: the name or a limit is not one.
    """
    record = KeyRecord(
        id=f"key_{secrets.token_hex(_ID_BYTES)}",
        name=name,
        digest=digest(secret.encode()).hex(),
        hint=hint(secret),
        models=models,
        allowance=allowance,
        priority=priority,
        created=float(int(created)),
        expires=expires,
    )
    return from_row(record.as_row(), "The new key")


def from_row(row: object, where: str) -> KeyRecord:
    """Return the record of a row as `as_row` gives it; what is not said has its default.

    Raises:
        RecordInvalid: it is none; the sentence begins with `where`.
    """
    named = f"{where} ({row['name']!r:.80})" if isinstance(row, Mapping) and "name" in row else where
    try:
        read = _Row.model_validate(row)
    except ValidationError as invalid:
        error = invalid.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(key) for key in error["loc"])
        raise RecordInvalid(f"{named}: {f'{field}: ' if field else ''}{error['msg']}.") from None
    values = read.model_dump()
    allowance = Allowance(**{name: values.pop(name) for name in Allowance.__slots__})
    return KeyRecord(**values, allowance=allowance)


def _wall_time(value: object) -> object:
    """Read a time as YAML gives it; one that names no zone is UTC."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    return value


def _line(text: str) -> str:
    """Refuse a name that could not be told in one line, or not be told from another."""
    if not text.isprintable() or text != text.strip():
        raise ValueError("must be printable, without spaces at its ends")
    return text


_Time = Annotated[float, BeforeValidator(_wall_time), Field(ge=0, le=253_402_300_799, allow_inf_nan=False)]
_Amount = Annotated[int, Field(ge=0, le=1_000_000_000, strict=True)]
_Model = Annotated[str, Field(min_length=1, max_length=256)]


class _Row(BaseModel):
    """A record, as it is written down."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, Field(pattern=r"^key_[0-9a-f]{12}$")]
    name: Annotated[str, Field(min_length=1, max_length=MAX_NAME_CHARACTERS), AfterValidator(_line)]
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    hint: Annotated[str, Field(max_length=16)] = ""
    models: tuple[_Model, ...] = ()
    requests_per_minute: _Amount = 0
    requests_per_second: _Amount = 0
    tokens_per_minute: _Amount = 0
    tokens_per_day: _Amount = 0
    concurrent: _Amount = 0
    priority: Priority = Priority.STANDARD
    created: _Time
    expires: _Time | None = None
    revoked: _Time | None = None
