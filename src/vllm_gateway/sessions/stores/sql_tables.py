"""The tables of conversations, the same in SQLite and PostgreSQL."""

from dataclasses import fields
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    Table,
    TypeDecorator,
)
from typing_extensions import override

from vllm_gateway import codec
from vllm_gateway.sessions.model import KeptResponse, Message, Session

VERSION = 1
"""Of the tables below; a store with a higher one was written by a newer gateway."""


class Words(TypeDecorator[str]):
    """Any text, kept as its bytes: PostgreSQL's own text has no NUL and is ordered by the rules of some language."""

    impl = LargeBinary
    cache_ok = True

    @override
    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        return None if value is None else value.encode("utf-8", "surrogatepass")

    @override
    def process_result_value(self, value: Any | None, dialect: Dialect) -> str | None:
        return None if value is None else bytes(value).decode("utf-8", "surrogatepass")


class Json(TypeDecorator[Any]):
    """A JSON value, kept as its text's bytes."""

    impl = LargeBinary
    cache_ok = True

    @override
    def process_bind_param(self, value: Any | None, dialect: Dialect) -> bytes:
        return codec.dumps(value)

    @override
    def process_result_value(self, value: Any | None, dialect: Dialect) -> Any:
        return None if value is None else codec.loads(bytes(value))


metadata = MetaData()

schema = Table("vllm_gateway_schema", metadata, Column("version", Integer, nullable=False))

sessions = Table(
    "vllm_gateway_sessions",
    metadata,
    Column("id", Words, primary_key=True),
    Column("owner", Words, nullable=False),
    Column("created", Float(53), nullable=False),
    Column("used", Float(53), nullable=False),
    Column("ttl_s", Float(53), nullable=False),
    Column("model", Words),
    Column("title", Words),
    Column("system_prompt", Words),
    Column("turns", BigInteger, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("messages", BigInteger, nullable=False),
    Column("first_kept", BigInteger, nullable=False),
    Column("replica", Words),
    Column("holder", Words),
    Column("lease_until", Float(53), nullable=False, default=0.0),
)
Index("vllm_gateway_sessions_of_owner", sessions.c.owner, sessions.c.created)
Index("vllm_gateway_sessions_by_expiry", sessions.c.used + sessions.c.ttl_s)

messages = Table(
    "vllm_gateway_messages",
    metadata,
    Column("session_id", Words, ForeignKey(sessions.c.id, ondelete="CASCADE"), primary_key=True),
    Column("place", BigInteger, primary_key=True, autoincrement=False),
    Column("fields", Json, nullable=False),
    Column("tokens", BigInteger, nullable=False),
)

responses = Table(
    "vllm_gateway_responses",
    metadata,
    Column("id", Words, primary_key=True),
    Column("owner", Words, nullable=False),
    Column("created", Float(53), nullable=False),
    Column("expires", Float(53), nullable=False),
    Column("chain", Json, nullable=False),
    Column("input", Json, nullable=False),
    Column("response", Json, nullable=False),
    Column("replica", Words),
)
Index("vllm_gateway_responses_by_expiry", responses.c.expires)

SESSION = [sessions.c[field.name] for field in fields(Session)]
"""The columns that make a `Session`, in its order."""
MESSAGE = [messages.c[field.name] for field in fields(Message)]
RESPONSE = [responses.c[field.name] for field in fields(KeptResponse)]


def response_of(row: Row[Any]) -> KeptResponse:
    """Return the response that a row of the columns `RESPONSE` holds."""
    values = dict(row._mapping)  # noqa: SLF001 - its public name, which cannot be a column's
    return KeptResponse(**values | {"chain": tuple(values["chain"])})
