"""A file of SQLite that several processes may share: how it is made, and how it keeps what it acknowledges."""

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

SET_UP = ("PRAGMA synchronous = FULL", "PRAGMA foreign_keys = ON")
"""Run on every new connection."""
_WAL_TRIES = 100
_WAL_PAUSE_S = 0.05


def make_file(path: Path, wait_s: float) -> None:
    """Make the file where there is none, readable by its owner only, and have it keep a write-ahead log; it may block.

    `wait_s` is how long a lock of the database is waited for, by all tries together.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    with closing(sqlite3.connect(path, timeout=wait_s / _WAL_TRIES)) as connection:
        for tries_left in reversed(range(_WAL_TRIES)):
            try:
                connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as fault:  # two who ask for it at once are refused without a wait
                if fault.sqlite_errorcode != sqlite3.SQLITE_BUSY or not tries_left:
                    raise
                time.sleep(_WAL_PAUSE_S)
            else:
                return


def connect(path: Path, wait_s: float) -> sqlite3.Connection:
    """Return a connection to a file that is there, for any thread; where transactions begin is left to its user."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=wait_s, isolation_level=None, check_same_thread=False
    )
    try:
        for statement in SET_UP:
            connection.execute(statement)
    except BaseException:
        connection.close()
        raise
    return connection
