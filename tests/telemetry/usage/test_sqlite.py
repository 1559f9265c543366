"""The ledger's table in a file."""

import stat
from pathlib import Path

import pytest

from tests.telemetry.usage.conftest import Open
from tests.telemetry.usage.records import entries, record
from tests.waiting import until
from vllm_gateway.tasks import Tasks
from vllm_gateway.telemetry.usage.question import Question
from vllm_gateway.telemetry.usage.sqlite import SqliteStore
from vllm_gateway.telemetry.usage.store import StoreUnusable

ALWAYS = Question(0, 100_000, ("day",))


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_reading_makes_nothing(ledger_file: Path, open_sqlite: Open) -> None:
    """Whoever only looks leaves no file behind that would be theirs."""
    store = open_sqlite()
    assert await store.totals(ALWAYS) == []
    assert not ledger_file.parent.exists()


async def test_the_file_is_its_owners_only(ledger_file: Path, open_sqlite: Open) -> None:
    """Who asked for what is nobody else's business."""
    store = open_sqlite()
    await store.write(entries([record()]))
    assert (_mode(ledger_file), _mode(ledger_file.parent)) == (0o600, 0o700)


async def test_a_place_that_cannot_be_used_is_told_in_one_sentence(tmp_path: Path) -> None:
    """What callers must know is that it is unknown whether anything was kept."""
    (tmp_path / "file").write_text("this is no database, however long it is looked at" * 100)
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        store = SqliteStore(path, limit_s=1)
        with pytest.raises(StoreUnusable, match=r"^The usage ledger's database cannot be used: [^\n]+\.$"):
            await store.write(entries([record()]))
        await store.close()


async def test_a_place_that_cannot_be_looked_at_is_told_in_one_sentence(tmp_path: Path) -> None:
    """Such as a folder that is closed to whoever asks; a name that is too long is one even for root."""
    store = SqliteStore(tmp_path / ("x" * 300), limit_s=1)
    with pytest.raises(StoreUnusable, match=r"^The usage ledger's database cannot be used: [^\n]+\.$"):
        await store.totals(ALWAYS)
    await store.close()


async def test_a_batch_is_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    """A row that the table does not take leaves none of its batch, and the store is as good as before."""
    store = SqliteStore(tmp_path / "usage.sqlite", limit_s=5)
    broken = record()._replace(path=None)  # type: ignore[arg-type]  # which no record has
    with pytest.raises(StoreUnusable, match="NOT NULL"):
        await store.write(entries([record(), broken]))
    assert await store.totals(ALWAYS) == []
    await store.write(entries([record()]))
    assert [total.requests for total in await store.totals(ALWAYS)] == [1]
    await store.close()


async def test_the_end_breaks_off_what_takes_long(tmp_path: Path) -> None:
    """A process that is told to stop does not wait for a sum over years."""
    store = SqliteStore(tmp_path / "usage.sqlite", limit_s=60)
    await store.write(entries([record()]))
    begun: list[str] = []
    connection = store._connected()
    connection.set_trace_callback(begun.append)
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    tasks = Tasks("test")
    asked = tasks.start(store._done(lambda: connection.execute(endless).fetchone()), name="asked")
    await until(lambda: endless in begun)
    await store.close()
    with pytest.raises(StoreUnusable, match="interrupted"):
        await asked
    await tasks.close()
