"""The databases in which conversations are kept."""

from pathlib import Path

from vllm_gateway.state import sql
from vllm_gateway.state.sql import Database

WAIT_S = 8.0
"""How long a lock of the database, or a free connection to it, is waited for."""
_CONNECT_S = 5.0
_CONNECTIONS = 8
_SCHEMA_LOCK = 0x76_6C_6C_6D


def sqlite_database(path: Path) -> Database:
    """Return the database in a file, which several processes may share."""
    return sql.sqlite_database(path, connections=_CONNECTIONS, wait_s=WAIT_S)


def postgres_database(url: str) -> Database:
    """Return the database at an address as libpq reads it."""
    return sql.postgres_database(
        url, schema_lock=_SCHEMA_LOCK, connections=_CONNECTIONS, wait_s=WAIT_S, connect_s=_CONNECT_S
    )
