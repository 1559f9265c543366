"""Records on their way to the store."""

import asyncio
import logging
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import asyncpg
import pytest

from tests.telemetry.usage.conftest import Open
from tests.telemetry.usage.records import DAY_S, record
from tests.waiting import until
from vllm_gateway.clock import Clock, HandClock, SystemClock
from vllm_gateway.telemetry.usage import writer as writing
from vllm_gateway.telemetry.usage.database import postgres_store
from vllm_gateway.telemetry.usage.question import Question, day_of
from vllm_gateway.telemetry.usage.statements import TABLE
from vllm_gateway.telemetry.usage.store import UsageStore
from vllm_gateway.telemetry.usage.writer import Writer

ALWAYS = Question(0, 100_000, ("day",))
LOST_AT_MOST_S = 1.0


def _writer(store: UsageStore, *, clock: Clock | None = None, keep_days: int = 0, max_held: int = 1000) -> Writer:
    clock = clock or SystemClock()
    return Writer(store, keep_days=keep_days, clock=clock, every_s=0.01, max_pause_s=0.05, max_held=max_held)


async def _requests(store: UsageStore) -> int:
    return sum(total.requests for total in await store.totals(ALWAYS))


@pytest.fixture
def blocked(ledger_file: Path) -> Path:
    """Have the place of the ledger's folder taken by a file: the store is away until that is deleted."""
    ledger_file.parent.write_text("")
    return ledger_file.parent


async def test_what_is_taken_is_soon_in_the_store(store: UsageStore) -> None:
    """In batches, beside the requests; nothing is left over."""
    writer = _writer(store, max_held=10_000)
    writer.open()
    for _ in range(2_345):
        writer.take(record())
    await until(lambda: writer.held == 0)
    assert await _requests(store) == writer.written == 2_345
    await writer.close()
    assert writer.lost == 0


async def test_closing_writes_what_is_held(store: UsageStore) -> None:
    """An orderly end loses nothing, even before the first turn."""
    writer = Writer(store, keep_days=0, clock=SystemClock())
    writer.open()
    for _ in range(700):
        writer.take(record())
    await writer.close()
    assert await _requests(store) == 700


async def test_a_store_that_is_busy_at_the_end_is_asked_again(open_sqlite: Open, blocked: Path) -> None:
    """Other gateways that end at the same moment may be writing there."""
    store = open_sqlite()
    writer = _writer(store)
    writer.open()
    writer.take(record())
    async with asyncio.TaskGroup() as group:
        ending = group.create_task(writer.close())
        await asyncio.sleep(0.1)
        assert not ending.done()
        os.unlink(blocked)  # noqa: PTH108 - a path's own method is for functions that may block
    assert (await _requests(store), writer.lost) == (1, 0)


async def test_nothing_is_lost_while_the_store_is_away(
    open_sqlite: Open, blocked: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is held, tried again, and written once; the log has one line for the beginning and one for the end."""
    store = open_sqlite()
    writer = _writer(store)
    writer.open()
    for _ in range(30):
        writer.take(record())
        await asyncio.sleep(0.005)
    assert (writer.written, writer.held) == (0, 30)
    os.unlink(blocked)  # noqa: PTH108 - a path's own method is for functions that may block
    await until(lambda: writer.held == 0)
    writer.take(record())
    await writer.close()
    assert await _requests(store) == 31
    first, last = caplog.messages
    assert first.startswith("The usage ledger's database cannot be used: ")
    assert first.endswith(" Up to 1000 requests are held in memory.")
    assert last == "the usage ledger is written again"


@pytest.mark.usefixtures("blocked")
async def test_what_does_not_fit_is_counted(open_sqlite: Open, caplog: pytest.LogCaptureFixture) -> None:
    """A store that stays away costs bounded memory, and a line that says how much is missing."""
    writer = _writer(open_sqlite(), max_held=10)
    writer.open()
    for _ in range(25):
        writer.take(record())
    assert (writer.held, writer.lost) == (10, 15)
    await writer.close()
    assert writer.lost == 25
    assert caplog.messages[-1] == "25 requests are missing from the usage ledger"


async def test_an_overflow_is_told_once(store: UsageStore, caplog: pytest.LogCaptureFixture) -> None:
    """When the store has taken what was held."""
    writer = _writer(store, max_held=10)
    for _ in range(12):
        writer.take(record())
    with caplog.at_level(logging.INFO):
        writer.open()
        await until(lambda: writer.held == 0)
        await writer.close()
    assert caplog.messages == ["2 requests are missing from the usage ledger"]
    assert await _requests(store) == 10


async def test_old_records_are_deleted(store: UsageStore) -> None:
    """Those of more than so many whole days ago, at the start and every hour after it."""
    clock = HandClock()
    writer = _writer(store, clock=clock, keep_days=2)
    today = clock.wall()
    for days in range(5):
        writer.take(record(ended=today - days * DAY_S))
    writer.open()
    await until(lambda: writer.held == 0)
    await writer.close()
    days_kept = [total.group["day"] - day_of(today) for total in await store.totals(ALWAYS)]
    assert days_kept == [-2, -1, 0]


async def test_two_writers_share_one_place(open_store: Open) -> None:
    """Two gateways, or two workers of one."""
    stores = [open_store(), open_store()]
    writers = [_writer(store) for store in stores]
    for writer in writers:
        writer.open()
    for _ in range(100):
        for writer in writers:
            writer.take(record())
        await asyncio.sleep(0.001)
    for writer in writers:
        await writer.close()
    assert [writer.written for writer in writers] == [100, 100]
    assert await _requests(stores[0]) == 200


def _busy(path: Path, name: str, *records: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.telemetry.usage.busy", str(path), name, *map(str, records)]
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE)


def _taken(lines: Iterable[str]) -> list[tuple[int, float]]:
    """Return what a process told: how many records it had taken, and when; its last line may be half one."""
    told = [line.split() for line in lines if line.endswith("\n")]
    return [(int(number), float(wall)) for number, wall in told]


def _kept(path: Path, name: str) -> list[int]:
    """Return the numbers of the records of one process, in order."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(f"SELECT request_id FROM {TABLE}").fetchall()  # noqa: S608 - a constant
    found = (request_id.rpartition("-") for (request_id,) in rows)
    return sorted(int(number) for of, _, number in found if of == name)


def test_a_process_that_is_killed_loses_the_last_second_at_most(ledger_file: Path) -> None:
    """D-04: whatever it had taken before that is there, once and without gaps; the other process loses nothing."""
    killed, other = _busy(ledger_file, "killed"), _busy(ledger_file, "other", 3_000)
    assert killed.stdout is not None
    lines = [killed.stdout.readline() for _ in range(350)]
    killed.kill()
    died = SystemClock.wall()
    lines += killed.communicate()[0].splitlines(keepends=True)
    other.communicate(timeout=30)
    kept = _kept(ledger_file, "killed")
    assert kept == list(range(len(kept)))
    taken_in_time = [number for number, wall in _taken(lines) if wall < died - LOST_AT_MOST_S]
    assert len(kept) > taken_in_time[-1] > 0
    assert _kept(ledger_file, "other") == list(range(3_000))


def test_a_process_that_is_told_to_end_loses_nothing(ledger_file: Path) -> None:
    """SIGTERM: the last record that was taken is there."""
    told = _busy(ledger_file, "told")
    assert told.stdout is not None
    lines = [told.stdout.readline() for _ in range(30)]
    told.terminate()
    lines += told.communicate(timeout=30)[0].splitlines(keepends=True)
    assert told.returncode == 0
    assert _kept(ledger_file, "told") == list(range(_taken(lines)[-1][0] + 1))


@pytest.mark.servers
async def test_a_database_that_stands_still_doubles_nothing(
    postgres_schema: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Its process is stopped in mid-batch; when it goes on, what it was told twice is there once."""
    async with _impatient(postgres_schema) as (store, writer):
        async with _processes(postgres_schema) as pids:
            for turn in range(40):
                for _ in range(50):
                    writer.take(record())
                if turn == 5:
                    _signal(pids, signal.SIGSTOP)
                await asyncio.sleep(0.02)
        await until(lambda: writer.held == 0, within_s=20)
        assert await _requests(store) == 2_001
    assert "cannot be used: TimeoutError" in caplog.messages[0]


@pytest.mark.servers
async def test_the_end_waits_for_a_standing_database_some_seconds_only(
    postgres_schema: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is held then is told as missing."""
    monkeypatch.setattr(writing, "_LAST_WORDS_S", 0.1)
    async with _impatient(postgres_schema) as (_, writer), _processes(postgres_schema) as pids:
        _signal(pids, signal.SIGSTOP)
        writer.take(record())
        async with asyncio.timeout(8):
            await writer.close()
    assert caplog.messages[-1] == "1 requests are missing from the usage ledger"


@asynccontextmanager
async def _impatient(address: str) -> AsyncIterator[tuple[UsageStore, Writer]]:
    """Run a writer that soon gives up on a statement, and has written once."""
    store = postgres_store(address, limit_s=0.2)
    writer = _writer(store, max_held=5_000)
    writer.open()
    try:
        writer.take(record())
        await until(lambda: writer.written == 1)
        yield store, writer
    finally:
        await writer.close()
        await store.close()


@asynccontextmanager
async def _processes(address: str) -> AsyncIterator[list[int]]:
    """Give the server's processes that serve the ledger; whatever was done to them, they go on at the end."""
    connection = await asyncpg.connect(address)
    rows = await connection.fetch("SELECT pid FROM pg_stat_activity WHERE application_name = 'vllm-gateway usage'")
    await connection.close()
    pids = [row["pid"] for row in rows]
    assert pids
    try:
        yield pids
    finally:
        _signal(pids, signal.SIGCONT)


def _signal(pids: list[int], number: int) -> None:
    for pid in pids:
        os.kill(pid, number)
