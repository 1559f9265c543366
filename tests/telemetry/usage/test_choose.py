"""Which store the settings ask for."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.telemetry.usage.records import entries, record
from vllm_gateway.settings.model import State, Usage
from vllm_gateway.state.extras import MissingExtra
from vllm_gateway.telemetry.usage import choose
from vllm_gateway.telemetry.usage.choose import open_usage_store
from vllm_gateway.telemetry.usage.database import DatabaseStore

ADDRESS = State(database_url=SecretStr("postgres://127.0.0.1:9/usage"))


def test_without_a_ledger_there_is_no_store() -> None:
    """It is the default, and costs nothing."""
    assert open_usage_store(Usage(), State(), limit_s=1) is None


@pytest.mark.parametrize(
    ("usage_of", "expected"),
    [
        (lambda folder: Usage(backend="sqlite", path=str(folder / "mine.sqlite")), "mine.sqlite"),
        (lambda _folder: Usage(backend="sqlite"), "state/usage.sqlite"),
    ],
)
async def test_sqlite_is_where_the_settings_say(
    usage_of: Callable[[Path], Usage], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise beside the other things that are kept."""
    monkeypatch.setattr(choose, "state_folder", lambda: tmp_path / "state")
    store = open_usage_store(usage_of(tmp_path), State(), limit_s=1)
    assert store is not None
    await store.write(entries([record()]))
    await store.close()
    assert (tmp_path / expected).is_file()


async def test_postgres_is_reached_when_it_is_used() -> None:
    """A gateway starts although its database is away."""
    store = open_usage_store(Usage(backend="postgres"), ADDRESS, limit_s=1)
    assert isinstance(store, DatabaseStore)
    await store.close()


def test_postgres_without_an_address_is_told() -> None:
    """By the name of the setting that is missing."""
    with pytest.raises(ValueError, match=r"state\.database_url"):
        open_usage_store(Usage(backend="postgres"), State(), limit_s=1)


def test_a_missing_driver_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra has a name."""
    monkeypatch.setattr("vllm_gateway.state.extras.find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match=r"pip install 'vllm-gateway\[postgres\]'"):
        open_usage_store(Usage(backend="postgres"), ADDRESS, limit_s=1)
