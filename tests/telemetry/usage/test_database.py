"""The ledger's table, in SQLite and in PostgreSQL."""

import asyncio
import stat
from collections import Counter
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.telemetry.usage.conftest import Open
from tests.telemetry.usage.records import DAY, DAY_S, entries, record
from vllm_gateway.outcomes import Outcome
from vllm_gateway.telemetry.usage import database
from vllm_gateway.telemetry.usage.database import DatabaseStore, postgres_store, sqlite_store
from vllm_gateway.telemetry.usage.question import GROUPS, Question, Total
from vllm_gateway.telemetry.usage.record import UsageRecord
from vllm_gateway.telemetry.usage.store import StoreUnusable

ALWAYS = Question(0, 100_000, ("day",))


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def _requests(store: DatabaseStore) -> int:
    return sum(total.requests for total in await store.totals(ALWAYS))


async def test_sums_are_those_of_the_group(store: DatabaseStore) -> None:
    """Requests, failures and tokens, for each value of what is grouped by."""
    await store.write(
        entries(
            [
                record(),
                record(prompt_tokens=10, completion_tokens=20, cached_tokens=0),
                record(outcome=Outcome.OK_RESUMED),
                record(outcome=Outcome.TIMEOUT, model=None, replica=None, prompt_tokens=0, completion_tokens=0),
                record(model="large"),
            ]
        )
    )
    assert await store.totals(replace(ALWAYS, by=("model",))) == [
        Total({"model": None}, 1, 1, 0, 0, 3),
        Total({"model": "large"}, 1, 0, 7, 5, 3),
        Total({"model": "tiny-1b"}, 3, 0, 24, 30, 6),
    ]


async def test_what_is_written_twice_is_there_once(store: DatabaseStore) -> None:
    """A batch of which nobody knows whether it arrived can be sent again, the new with the old."""
    await store.write(entries(record() for _ in range(10)))
    await store.write(entries(record() for _ in range(15)))
    assert await _requests(store) == 15


async def test_each_writer_counts_for_itself(store: DatabaseStore) -> None:
    """The same number of another process is another request."""
    await store.write(entries([record()], "one"))
    await store.write(entries([record()], "two"))
    assert await _requests(store) == 2


async def test_a_question_is_narrowed_down(store: DatabaseStore) -> None:
    """To days, both ends included, to keys, and to a model."""
    await store.write(
        entries(record(ended=(DAY + day) * DAY_S, caller=caller) for day in range(5) for caller in ("key-a", None))
    )
    days = await store.totals(replace(ALWAYS, first_day=DAY + 1, last_day=DAY + 3))
    assert [(total.group["day"] - DAY, total.requests) for total in days] == [(1, 2), (2, 2), (3, 2)]
    keys = await store.totals(replace(ALWAYS, by=("key",), callers=frozenset({"key-a", "key-b"})))
    assert [(total.group, total.requests) for total in keys] == [({"key": "key-a"}, 5)]
    assert await store.totals(replace(ALWAYS, model="other")) == []
    assert len(await store.totals(replace(ALWAYS, model="tiny-1b"))) == 5


async def test_what_is_old_is_deleted_some_at_a_time(store: DatabaseStore) -> None:
    """The day itself stays."""
    await store.write(entries(record(ended=(DAY + day) * DAY_S) for day in (-2, -1, -1, 0)))
    assert await store.delete_before(DAY, limit=2) == 2
    assert await store.delete_before(DAY, limit=2) == 1
    assert [total.group["day"] for total in await store.totals(ALWAYS)] == [DAY]


async def test_whatever_is_said_can_be_kept(store: DatabaseStore) -> None:
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


async def test_reading_makes_nothing(ledger_file: Path, open_sqlite: Open) -> None:
    """Whoever only looks leaves no file behind that would be theirs."""
    store = open_sqlite()
    assert await store.totals(ALWAYS) == []
    assert not ledger_file.parent.exists()


async def test_reading_a_database_without_the_table_finds_nothing(store: DatabaseStore) -> None:
    """Nothing has been written yet."""
    assert await store.totals(ALWAYS) == []


async def test_the_file_is_its_owners_only(ledger_file: Path, open_sqlite: Open) -> None:
    """Who asked for what is nobody else's business."""
    store = open_sqlite()
    await store.write(entries([record()]))
    assert (_mode(ledger_file), _mode(ledger_file.parent)) == (0o600, 0o700)


async def test_a_place_that_cannot_be_used_is_told_in_one_sentence(tmp_path: Path) -> None:
    """What callers must know is that it is unknown whether anything was kept."""
    (tmp_path / "file").write_text("this is no database, however long it is looked at" * 100)
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        store = sqlite_store(path, limit_s=1)
        with pytest.raises(StoreUnusable, match=r"^The usage ledger's database cannot be used: [^\n]+\.$"):
            await store.write(entries([record()]))
        await store.close()


async def test_a_place_that_cannot_be_looked_at_is_told_in_one_sentence(tmp_path: Path) -> None:
    """Such as a folder that is closed to whoever asks; a name that is too long is one even for root."""
    store = sqlite_store(tmp_path / ("x" * 300), limit_s=1)
    with pytest.raises(StoreUnusable, match=r"^The usage ledger's database cannot be used: [^\n]+\.$"):
        await store.totals(ALWAYS)
    await store.close()


async def test_a_database_server_that_is_away_shows_no_password() -> None:
    """Nothing listens there."""
    store = postgres_store("postgres://gateway:hunter2@127.0.0.1:9/usage", limit_s=1)
    with pytest.raises(StoreUnusable) as told:
        await store.totals(ALWAYS)
    assert "hunter2" not in str(told.value)
    await store.close()


async def test_more_groups_than_fit_are_cut_off(monkeypatch: pytest.MonkeyPatch, open_sqlite: Open) -> None:
    """One more than is shown, so that it can be told that there are more."""
    monkeypatch.setattr(database, "MAX_ROWS", 3)
    store = open_sqlite()
    await store.write(entries(record(model=f"m{number}") for number in range(9)))
    assert len(await store.totals(replace(ALWAYS, by=("model",)))) == 4


_RECORDS = st.builds(
    record,
    ended=st.integers(DAY, DAY + 2).map(lambda day: day * DAY_S),
    outcome=st.sampled_from(Outcome),
    caller=st.sampled_from(["key-a", "key-b", None]),
    model=st.sampled_from(["a", "b", None]),
    replica=st.sampled_from(["gpu-1", "gpu-2", None]),
    prompt_tokens=st.integers(0, 10**6),
    completion_tokens=st.integers(0, 10**6),
    cached_tokens=st.integers(0, 10**6),
)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(_RECORDS, min_size=1, max_size=30),
    st.lists(st.sampled_from(GROUPS), min_size=1, unique=True).map(tuple),
)
def test_the_sums_of_the_groups_are_the_sum_of_all(records: list[UsageRecord], by: tuple[str, ...]) -> None:
    """However it is grouped, every request is in one group, and each group appears once."""

    async def grouped() -> list[Total]:
        with TemporaryDirectory() as folder:
            store = sqlite_store(Path(folder, "usage.sqlite"), limit_s=5)
            await store.write(entries(records))
            try:
                return await store.totals(replace(ALWAYS, by=by))
            finally:
                await store.close()

    totals = asyncio.run(grouped())
    assert sum(total.requests for total in totals) == len(records)
    assert sum(total.failed for total in totals) == sum(not each.outcome.startswith("ok") for each in records)
    for tokens in ("prompt_tokens", "completion_tokens", "cached_tokens"):
        assert sum(getattr(total, tokens) for total in totals) == sum(getattr(each, tokens) for each in records)
    assert set(Counter(tuple(total.group.items()) for total in totals).values()) == {1}
