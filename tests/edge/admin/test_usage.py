"""Who has used how much, asked of the admin API."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.edge.admin.desk import Desk, desk
from tests.telemetry.usage.records import DAY_S, entries, record
from vllm_gateway.clock import HandClock
from vllm_gateway.telemetry.usage import question
from vllm_gateway.telemetry.usage.question import day_name, day_of
from vllm_gateway.telemetry.usage.sqlite import SqliteStore

NOW = HandClock().wall()
TODAY = day_of(NOW)


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """Give a ledger with three requests: two of today, by two keys, and one of 29 days ago."""
    store = SqliteStore(tmp_path / "usage.sqlite", limit_s=5)
    old = NOW - 29 * DAY_S
    await store.write(
        entries([record(ended=NOW), record(ended=NOW, caller="key-b", outcome="timeout"), record(ended=old)])
    )
    yield store
    await store.close()


@pytest.fixture
async def at_desk(tmp_path: Path, ledger: SqliteStore) -> AsyncIterator[Desk]:
    """Run an admin API that tells of the ledger."""
    async with desk(tmp_path, usage=ledger) as one:
        yield one


async def test_without_words_it_tells_the_last_thirty_days(at_desk: Desk) -> None:
    """Day by day, those without requests left out."""
    reply = await at_desk.http.get("/admin/usage")
    assert reply.status_code == 200
    counts = {"prompt_tokens": 7, "completion_tokens": 5, "cached_tokens": 3}
    assert reply.json() == {
        "object": "list",
        "from": day_name(TODAY - 29),
        "to": day_name(TODAY),
        "data": [
            {"day": day_name(TODAY - 29), "requests": 1, "failed": 0, **counts},
            {"day": day_name(TODAY), "requests": 2, "failed": 1, **{name: 2 * each for name, each in counts.items()}},
        ],
        "has_more": False,
    }


async def test_keys_are_told_with_their_names(at_desk: Desk, ledger: SqliteStore) -> None:
    """And asked for by them; a key of which nobody knows has its id only."""
    made = (await at_desk.http.post("/admin/keys", json={"name": "ann"})).json()
    await ledger.write(entries([record(ended=NOW, caller=made["caller"])], "later"))
    rows = (await at_desk.http.get("/admin/usage", params={"group": "key,day", "key": "ann"})).json()["data"]
    assert [(row["key"], row["key_name"], row["requests"]) for row in rows] == [(made["caller"], "ann", 1)]
    rows = (await at_desk.http.get("/admin/usage?group=key")).json()["data"]
    assert {(row["key"], row["key_name"]) for row in rows} == {
        ("key-a", None),
        ("key-b", None),
        (made["caller"], "ann"),
    }


async def test_days_and_models_narrow_it_down(at_desk: Desk) -> None:
    """Both days are included."""
    today = day_name(TODAY)
    found = await at_desk.http.get(f"/admin/usage?from={today}&to={today}&group=model&model=tiny-1b")
    assert [(row["model"], row["requests"]) for row in found.json()["data"]] == [("tiny-1b", 2)]
    assert (await at_desk.http.get("/admin/usage?model=large")).json()["data"] == []


@pytest.mark.parametrize(
    ("words", "param"), [("from=soon", "from"), ("to=2027-02-30", "to"), ("group=colour", "group"), ("group=", "group")]
)
async def test_words_that_mean_nothing_are_named(at_desk: Desk, words: str, param: str) -> None:
    """The caller has to change them."""
    reply = await at_desk.http.get(f"/admin/usage?{words}")
    assert reply.status_code == 400
    assert reply.json()["error"]["param"] == param


async def test_an_answer_that_is_cut_off_says_so(at_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is more than one answer holds."""
    monkeypatch.setattr("vllm_gateway.edge.admin.usage.MAX_ROWS", 1)
    reply = (await at_desk.http.get("/admin/usage?group=key")).json()
    assert (len(reply["data"]), reply["has_more"]) == (1, True)
    assert question.MAX_ROWS > 1


async def test_without_a_ledger_it_says_how_to_get_one(tmp_path: Path) -> None:
    """Nothing is there at this path."""
    async with desk(tmp_path) as one:
        reply = await one.http.get("/admin/usage")
    assert reply.status_code == 404
    assert "usage.backend" in reply.json()["error"]["message"]


async def test_names_that_cannot_be_read_are_done_without(at_desk: Desk, tmp_path: Path) -> None:
    """The sums are what was asked for."""
    (tmp_path / "keys.yaml").write_text("no: [keys")
    rows = (await at_desk.http.get("/admin/usage?group=key")).json()["data"]
    assert [(row["key"], row["key_name"]) for row in rows] == [("key-a", None), ("key-b", None)]


async def test_a_ledger_that_is_away_is_told(tmp_path: Path) -> None:
    """Whoever asks may ask again."""
    (tmp_path / "usage.sqlite").write_text("this is no database" * 100)
    store = SqliteStore(tmp_path / "usage.sqlite", limit_s=1)
    async with desk(tmp_path, usage=store) as one:
        reply = await one.http.get("/admin/usage")
    await store.close()
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "1")


async def test_nobody_reads_it_without_the_admin_key(at_desk: Desk) -> None:
    """As nothing of this listener."""
    assert (await at_desk.http.get("/admin/usage", headers={"authorization": "Bearer x"})).status_code == 401
