"""A file of SQLite that several processes may share."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from vllm_gateway.clock import SystemClock
from vllm_gateway.state.sqlite_file import connect, make_file

WAIT_S = 5.0
FAR_LESS_THAN_ALL_TRIES_S = 60.0
"""A second for each try would be 100."""


def test_a_file_is_made_once(tmp_path: Path) -> None:
    """With its folder; it is its owner's alone, and a second time nothing of it is lost."""
    path = tmp_path / "deep" / "some.sqlite"
    for turn in range(2):
        make_file(path, WAIT_S)
        with closing(connect(path, WAIT_S)) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS things (name TEXT)")
            connection.execute("INSERT INTO things VALUES ('new')")
            assert connection.execute("SELECT count(*) FROM things").fetchone() == (turn + 1,)
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
            assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_lock_is_waited_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All tries together take the time that was allowed: whoever ends must not wait so long for each of them."""
    path = tmp_path / "some.sqlite"
    monkeypatch.setattr("vllm_gateway.state.sqlite_file._WAL_PAUSE_S", 0.0)
    clock = SystemClock()
    began = clock.now()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("CREATE TABLE things (name TEXT)")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            make_file(path, 1.0)
    assert clock.now() - began < FAR_LESS_THAN_ALL_TRIES_S


def test_connecting_makes_no_file(tmp_path: Path) -> None:
    """Whoever only looks leaves nothing behind, whatever the name means in an address."""
    path = tmp_path / "100%?mode=rwc#.sqlite"
    with pytest.raises(sqlite3.OperationalError):
        connect(path, WAIT_S)
    assert list(tmp_path.iterdir()) == []
    make_file(path, WAIT_S)
    connect(path, WAIT_S).close()
    assert path in list(tmp_path.iterdir())
