"""What holds of the ledger's table wherever it is kept, and of PostgreSQL alone."""

import asyncio
from dataclasses import replace

import pytest

from tests.telemetry.usage.conftest import Open
from tests.telemetry.usage.records import DAY, DAY_S, entries, record
from vllm_gateway.telemetry.usage.database import postgres_store
from vllm_gateway.telemetry.usage.question import Question
from vllm_gateway.telemetry.usage.store import StoreUnusable, UsageStore

ALWAYS = Question(0, 100_000, ("day",))


async def _requests(store: UsageStore) -> int:
    return sum(total.requests for total in await store.totals(ALWAYS))


async def test_what_is_written_twice_is_there_once(store: UsageStore) -> None:
    """A batch of which nobody knows whether it arrived can be sent again, the new with the old."""
    await store.write(entries(record() for _ in range(10)))
    await store.write(entries(record() for _ in range(15)))
    assert await _requests(store) == 15


async def test_each_writer_counts_for_itself(store: UsageStore) -> None:
    """The same number of another process is another request."""
    await store.write(entries([record()], "one"))
    await store.write(entries([record()], "two"))
    assert await _requests(store) == 2


async def test_what_is_old_is_deleted_some_at_a_time(store: UsageStore) -> None:
    """The day itself stays."""
    await store.write(entries(record(ended=(DAY + day) * DAY_S) for day in (-2, -1, -1, 0)))
    assert await store.delete_before(DAY, limit=2) == 2
    assert await store.delete_before(DAY, limit=2) == 1
    assert [total.group["day"] for total in await store.totals(ALWAYS)] == [DAY]


async def test_whatever_is_said_can_be_kept(store: UsageStore) -> None:
    """Callers and replicas say what they like; not one such row may hold up the others."""
    odd = ["\x00", "\ud800", "ü" * 1000, "\x1b[31m", "'; DROP TABLE x; --", "%s $1 ?", ""]
    rows = [record(request_id=words, model_asked=words, model=words, replica=words, caller=words) for words in odd]
    await store.write(entries([*rows, record(prompt_tokens=10**30, completion_tokens=-1)]))
    totals = await store.totals(replace(ALWAYS, by=("model",)))
    assert sum(total.requests for total in totals) == len(odd) + 1
    assert all(str(total.group["model"]).isascii() and str(total.group["model"]).isprintable() for total in totals)
    assert [total.requests for total in await store.totals(replace(ALWAYS, model="\x00"))] == [1]
    assert [total.requests for total in await store.totals(replace(ALWAYS, callers=frozenset({"\x00"})))] == [1]


async def test_stores_that_begin_at_once_share_one_table(open_store: Open) -> None:
    """Several gateways find nothing there and make it together; nothing is lost or doubled."""
    stores = [open_store() for _ in range(4)]

    async def write(number: int) -> None:
        for turn in range(5):
            batch = entries((record() for _ in range(50)), f"writer-{number}")
            rows = [each._replace(sequence=each.sequence + 50 * turn) for each in batch]
            written = False
            while not written:
                try:
                    await stores[number].write(rows)
                    written = True
                except StoreUnusable:  # as the writer does
                    await asyncio.sleep(0.01)

    await asyncio.gather(*(write(number) for number in range(4)))
    assert await _requests(stores[0]) == 1000


async def test_reading_a_database_without_the_table_finds_nothing(store: UsageStore) -> None:
    """Nothing has been written yet."""
    assert await store.totals(ALWAYS) == []


async def test_a_database_server_that_is_away_shows_no_password() -> None:
    """Nothing listens there."""
    store = postgres_store("postgres://gateway:hunter2@127.0.0.1:9/usage", limit_s=1)
    with pytest.raises(StoreUnusable) as told:
        await store.totals(ALWAYS)
    assert "hunter2" not in str(told.value)
    await store.close()
