"""The ledger's table in a file of SQLite, by the standard library alone: SQLAlchemy takes 25 MB of memory."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from vllm_gateway.state.sqlite_file import connect, make_file
from vllm_gateway.telemetry.usage.question import Question, Total
from vllm_gateway.telemetry.usage.rows import row_of
from vllm_gateway.telemetry.usage.statements import (
    COLUMNS,
    MAKE_INDEX,
    MAKE_TABLE,
    TABLE,
    deletion,
    insertion,
    summing,
    total_of,
)
from vllm_gateway.telemetry.usage.store import MORE_S, Entry, unusable

_INSERT = insertion(", ".join("?" * COLUMNS))
_DELETE = deletion()
_IS_MADE = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"

T = TypeVar("T")


class SqliteStore:
    """Keeps records in one file, which is made by the first that is written; reading makes nothing.

    A thread of its own does one thing after the other; what nobody waits for any more is done to its end.
    """

    def __init__(self, path: Path, *, limit_s: float) -> None:
        """Reach for a file in which a statement may wait `limit_s` for the others."""
        self._path = path
        self._limit_s = limit_s
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="usage")
        self._connection: sqlite3.Connection | None = None
        self._is_made = False

    async def write(self, entries: Sequence[Entry]) -> None:
        """Keep these records, those that are kept already excepted."""
        rows = [row_of(entry) for entry in entries]
        await self._done(lambda: self._insert(rows))

    async def totals(self, question: Question) -> list[Total]:
        """Return the sums that are asked for, one more than `MAX_ROWS` at most."""
        return await self._done(lambda: self._sum(question))

    async def delete_before(self, day: int, *, limit: int) -> int:
        """Delete some of the records that ended before a day."""
        return await self._done(lambda: self._delete(day, limit))

    async def close(self) -> None:
        """Let go of the file; a question that is being answered is broken off."""
        if self._connection is not None:
            self._connection.interrupt()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
        self._thread.shutdown(wait=False)

    async def _done(self, operation: Callable[[], T]) -> T:
        """Have the thread do something, and SQLite's faults told as the one that callers know."""
        try:
            async with asyncio.timeout(self._limit_s + MORE_S):
                return await asyncio.get_running_loop().run_in_executor(self._thread, operation)
        except (sqlite3.Error, OSError, TimeoutError) as fault:
            raise unusable(fault) from fault

    def _insert(self, rows: list[tuple[Any, ...]]) -> None:
        with self._writing() as connection:
            connection.executemany(_INSERT, rows)

    def _sum(self, question: Question) -> list[Total]:
        if not self._path.exists():
            return []
        connection = self._connected()
        if connection.execute(_IS_MADE, (TABLE,)).fetchone() is None:
            return []
        return [total_of(question.by, row) for row in connection.execute(*summing(question))]

    def _delete(self, day: int, limit: int) -> int:
        with self._writing() as connection:
            return connection.execute(_DELETE, {"day": day, "limit": limit}).rowcount

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Give a transaction that is committed at the end; the first makes what is missing."""
        if not self._is_made:
            make_file(self._path, self._limit_s)
        connection = self._connected()
        connection.execute("BEGIN IMMEDIATE")  # a reader that turns into a writer could find its view outdated
        with connection:
            if not self._is_made:
                connection.execute(f"{MAKE_TABLE} WITHOUT ROWID")
                connection.execute(MAKE_INDEX)
            yield connection
        self._is_made = True

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = connect(self._path, self._limit_s)
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
