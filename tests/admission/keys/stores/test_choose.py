"""Which store is opened."""

import asyncio
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from vllm_gateway.admission.keys.stores.choose import open_key_store
from vllm_gateway.admission.keys.stores.database import DatabaseStore
from vllm_gateway.admission.keys.stores.file import FileStore
from vllm_gateway.settings.admission import Auth
from vllm_gateway.settings.model import State
from vllm_gateway.state.extras import MissingExtra

DATABASE = State(database_url=SecretStr("postgresql://h/d"))


def test_a_file_comes_first_then_the_database_then_the_users_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None reaches for its place before it is used."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    named = open_key_store(Auth(keys_file="~/named.yaml"), DATABASE)
    assert isinstance(named, FileStore)
    assert named._path == tmp_path / "home" / "named.yaml"
    default = open_key_store(Auth(), State())
    assert isinstance(default, FileStore)
    assert default._path == tmp_path / "vllm-gateway" / "keys.yaml"
    database = open_key_store(Auth(), DATABASE)
    assert isinstance(database, DatabaseStore)
    asyncio.run(database.close())
    assert list(tmp_path.iterdir()) == []


def test_a_missing_driver_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exact command."""
    monkeypatch.setattr("vllm_gateway.state.extras.find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match=r"pip install 'vllm-gateway\[postgres\]'$"):
        open_key_store(Auth(), DATABASE)
