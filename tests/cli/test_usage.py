"""`vllm-gateway usage`."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.telemetry.usage.records import DAY_S, entries, record
from vllm_gateway import codec
from vllm_gateway.admission.keys.stores.file import FileStore
from vllm_gateway.clock import SystemClock
from vllm_gateway.telemetry.usage.question import day_name, day_of
from vllm_gateway.telemetry.usage.record import UsageRecord
from vllm_gateway.telemetry.usage.sqlite import SqliteStore

NOW = SystemClock.wall()


@pytest.fixture
def ledger_file(here: Path) -> Path:
    """Have the settings name a ledger, which is not there yet."""
    (here / "gateway.yaml").write_text(
        "auth: {mode: keys, keys_file: keys.yaml}\nusage: {backend: sqlite, path: usage.sqlite}\n"
    )
    return here / "usage.sqlite"


def _keep(path: Path, records: Iterable[UsageRecord]) -> None:
    async def write() -> None:
        store = SqliteStore(path, limit_s=5)
        await store.write(entries(records))
        await store.close()

    asyncio.run(write())


def test_a_table_tells_the_last_thirty_days(run: Run, ledger_file: Path) -> None:
    """A line for each day on which something was used, and the sums."""
    _keep(ledger_file, [record(ended=NOW), record(ended=NOW - DAY_S), record(ended=NOW - 40 * DAY_S)])
    code, out, err = run("usage")
    assert (code, err) == (0, "")
    days = [line.split()[0] for line in out.splitlines()]
    assert days == ["DAY", day_name(day_of(NOW) - 1), day_name(day_of(NOW)), "TOTAL"]
    assert out.splitlines()[-1].split() == ["TOTAL", "2", "0", "14", "10", "6"]


def test_keys_have_their_names(run: Run, ledger_file: Path) -> None:
    """In CSV and JSON as in tables; and a key can be asked for by its name."""
    assert run("keys", "create", "--name", "ann")[0] == 0
    (key,) = asyncio.run(FileStore(ledger_file.parent / "keys.yaml").load())
    _keep(ledger_file, [record(ended=NOW, caller=key.caller().id), record(ended=NOW, caller="key-z")])
    code, out, _ = run("usage", "--by", "key,model", "--csv", "--key", "ann")
    assert code == 0
    assert out.splitlines()[1:] == [f"{key.caller().id},ann,tiny-1b,1,0,7,5,3"]
    code, out, _ = run("usage", "--by", "key", "--json")
    assert {(row["key"], row["key_name"]) for row in codec.loads(out)} == {(key.caller().id, "ann"), ("key-z", None)}


def test_days_and_models_narrow_it_down(run: Run, ledger_file: Path) -> None:
    """Both days are included."""
    _keep(ledger_file, [record(ended=NOW - 40 * DAY_S), record(ended=NOW - 41 * DAY_S), record(ended=NOW)])
    day = day_name(day_of(NOW) - 40)
    code, out, _ = run("usage", "--from", day, "--to", day, "--model", "tiny-1b", "--json", "-c", "gateway.yaml")
    assert code == 0
    assert [(row["day"], row["requests"]) for row in codec.loads(out)] == [(day, 1)]


def test_nothing_used_is_said_in_words(run: Run, ledger_file: Path) -> None:
    """No empty table; what a program reads is still well formed, and no file is made."""
    code, out, err = run("usage", "--from", "2026-01-01", "--to", "2026-01-31")
    assert (code, out, err) == (0, "", "Nothing was used from 2026-01-01 to 2026-01-31 (UTC).\n")
    assert codec.loads(run("usage", "--json")[1]) == []
    assert run("usage", "--csv")[1].startswith("day,requests,")
    assert not ledger_file.exists()


def test_without_a_ledger_it_says_how_to_get_one(run: Run) -> None:
    """The setting has a name."""
    code, out, err = run("usage")
    assert (code, out) == (1, "")
    assert err == "No usage is written down: usage.backend is none. Set it to sqlite or postgres.\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--by", "colour"], "Usage is not grouped by 'colour'; choose of key, model, day, replica, outcome."),
        (["--from", "soon"], "'soon' is no day; write one like 2027-01-31."),
        (["--json", "--csv"], "Choose one of --json and --csv."),
    ],
)
def test_a_mistake_is_told_in_one_sentence(run: Run, arguments: list[str], sentence: str) -> None:
    """Nothing is printed."""
    assert run("usage", *arguments) == (1, "", f"{sentence}\n")


def test_a_ledger_that_cannot_be_read_is_told(run: Run, ledger_file: Path) -> None:
    """In one sentence, without a stack."""
    ledger_file.write_text("this is no database" * 100)
    code, out, err = run("usage")
    assert (code, out) == (1, "")
    assert err.startswith("The usage ledger's database cannot be used: DatabaseError: ")
    assert err.count("\n") == 1


def test_more_rows_than_are_shown_are_mentioned(run: Run, ledger_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is shown is not all."""
    monkeypatch.setattr("vllm_gateway.telemetry.usage.question.MAX_ROWS", 1)
    _keep(ledger_file, [record(ended=NOW, model=name) for name in ("a", "b")])
    code, out, err = run("usage", "--by", "model", "--csv")
    assert (code, err) == (0, "There are more than these 1 rows; ask for fewer days.\n")
    assert len(out.splitlines()) == 2


def test_help_shows_examples(run: Run) -> None:
    """They can be copied."""
    code, out, _ = run("usage", "--help")
    assert code == 0
    assert "vllm-gateway usage --by key,model" in out
    assert "--from" in out
