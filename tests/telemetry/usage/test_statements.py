"""What is said to the ledger's table."""

import asyncio
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
from vllm_gateway.telemetry.usage import statements
from vllm_gateway.telemetry.usage.question import GROUPS, Question, Total
from vllm_gateway.telemetry.usage.record import UsageRecord
from vllm_gateway.telemetry.usage.sqlite import SqliteStore
from vllm_gateway.telemetry.usage.store import UsageStore

ALWAYS = Question(0, 100_000, ("day",))


async def test_sums_are_those_of_the_group(store: UsageStore) -> None:
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


async def test_a_question_is_narrowed_down(store: UsageStore) -> None:
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


async def test_more_groups_than_fit_are_cut_off(monkeypatch: pytest.MonkeyPatch, open_sqlite: Open) -> None:
    """One more than is shown, so that it can be told that there are more."""
    monkeypatch.setattr(statements, "MAX_ROWS", 3)
    store = open_sqlite()
    await store.write(entries(record(model=f"m{number}") for number in range(9)))
    assert len(await store.totals(replace(ALWAYS, by=("model",)))) == 4


async def test_nobody_has_used_anything(store: UsageStore) -> None:
    """A question about no key at all is answered, with nothing."""
    await store.write(entries([record(), record(caller=None)]))
    assert await store.totals(replace(ALWAYS, callers=frozenset())) == []


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
            store = SqliteStore(Path(folder, "usage.sqlite"), limit_s=5)
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
