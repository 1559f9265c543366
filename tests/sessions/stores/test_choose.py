"""Which store is opened, and what is imported for it."""

import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.house.test_command import imported_by
from vllm_gateway.sessions.stores.choose import open_store
from vllm_gateway.sessions.stores.later import LaterStore
from vllm_gateway.sessions.stores.memory import MemoryStore
from vllm_gateway.sessions.stores.redis import RedisStore
from vllm_gateway.sessions.stores.sql import SqlStore
from vllm_gateway.settings.model import Session, State
from vllm_gateway.state.extras import MissingExtra

STATE = State(redis_url=SecretStr("redis://h"), database_url=SecretStr("postgresql://h/d"))
DRIVERS = {"sqlalchemy", "aiosqlite", "asyncpg", "redis"}


async def test_the_settings_choose() -> None:
    """One of four; none reaches for its place before it is used."""
    for backend, kind in (
        ("memory", MemoryStore),
        ("sqlite", LaterStore),
        ("postgres", SqlStore),
        ("redis", RedisStore),
    ):
        store = open_store(Session.model_validate({"backend": backend}), STATE)
        assert type(store) is kind
        await store.close()


async def test_the_file_is_in_the_users_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Unless the settings name another."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("HOME", str(tmp_path))
    for path, expected in (
        (None, tmp_path / "vllm-gateway" / "sessions.sqlite"),
        ("~/other.sqlite", tmp_path / "other.sqlite"),
    ):
        store = open_store(Session(path=path), State())
        assert isinstance(store, LaterStore)
        made = await store.made()
        assert isinstance(made, SqlStore)
        assert made._database.writer.url.database == str(expected)
        await store.close()


@pytest.mark.parametrize(("backend", "library"), [("postgres", "asyncpg"), ("redis", "redis")])
def test_a_missing_driver_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch, backend: str, library: str) -> None:
    """The exact command."""
    monkeypatch.setattr("vllm_gateway.state.extras.find_spec", lambda name: None if name == library else name)
    with pytest.raises(MissingExtra, match=rf"pip install 'vllm-gateway\[{backend}\]'$"):
        open_store(Session.model_validate({"backend": backend}), STATE)


@pytest.mark.parametrize("backend", ["postgres", "redis"])
def test_a_store_without_an_address_is_refused(backend: str) -> None:
    """The settings are checked before; this is the last resort."""
    with pytest.raises(ValueError, match=r"^state\.\w+ is not set"):
        open_store(Session.model_validate({"backend": backend}), State())


@pytest.mark.parametrize(
    ("backend", "expected"),
    [
        ("memory", set()),
        ("sqlite", set()),  # before it is used
        ("postgres", {"sqlalchemy", "asyncpg"}),
        ("redis", {"redis"}),
    ],
)
def test_only_the_chosen_driver_is_imported(backend: str, expected: set[str]) -> None:
    """Starting takes as long as what it starts."""
    statement = (
        "from vllm_gateway.sessions.stores.choose import open_store\n"
        "from vllm_gateway.settings.model import Session, State\n"
        f"open_store(Session(backend={backend!r}), State(redis_url='redis://h', database_url='postgresql://h/d'))"
    )
    assert imported_by(statement) & DRIVERS - {"aiosqlite"} == expected
