"""Which store the settings ask for. Drivers are imported for the one that is chosen only."""

import os
from pathlib import Path

from pydantic import SecretStr

from vllm_gateway.sessions.store import Store
from vllm_gateway.sessions.stores.later import LaterStore
from vllm_gateway.sessions.stores.memory import MemoryStore
from vllm_gateway.settings.model import Session, State
from vllm_gateway.settings.state_folder import state_folder
from vllm_gateway.state.extras import need


def open_store(session: Session, state: State) -> Store:
    """Return the store that the settings ask for; it reaches for its place when it is first used.

    Raises:
        MissingExtra: its driver is not installed.
    """
    match session.backend:
        case "memory":
            return MemoryStore()
        case "sqlite":
            path = Path(session.path).expanduser() if session.path else state_folder() / "sessions.sqlite"
            return LaterStore(lambda: _sqlite(path), has_content=lambda: _has_content(path))
        case "postgres":
            return _postgres(_address(state.database_url, "state.database_url"))
        case "redis":
            return _redis(_address(state.redis_url, "state.redis_url"))


def _has_content(path: Path) -> bool:
    """Say whether there is a file, or none could be made: then the store is the one that has to tell."""
    folder = next(each for each in path.absolute().parents if _is_there(each))
    return _is_there(path) or not (folder.is_dir() and os.access(folder, os.W_OK | os.X_OK))


def _is_there(path: Path) -> bool:
    return os.path.exists(path)  # noqa: PTH110 - unlike a Path's it takes what is out of reach for absent


def _sqlite(path: Path) -> Store:
    from vllm_gateway.sessions.stores.sql import SqlStore  # noqa: PLC0415 - see the module
    from vllm_gateway.sessions.stores.sql_engines import sqlite_database  # noqa: PLC0415 - see the module

    return SqlStore(sqlite_database(path))


def _postgres(url: str) -> Store:
    need("asyncpg", "postgres", "session.backend: postgres")
    from vllm_gateway.sessions.stores.sql import SqlStore  # noqa: PLC0415 - see the module
    from vllm_gateway.sessions.stores.sql_engines import postgres_database  # noqa: PLC0415 - see the module

    return SqlStore(postgres_database(url))


def _redis(url: str) -> Store:
    need("redis", "redis", "session.backend: redis")
    from vllm_gateway.sessions.stores.redis import RedisStore  # noqa: PLC0415 - see the module

    return RedisStore(url)


def _address(url: SecretStr | None, name: str) -> str:
    if url is None:
        raise ValueError(f"{name} is not set, and session.backend needs it")
    return url.get_secret_value()
