"""Limits that several workers could not count together."""

import logging
from pathlib import Path

import pytest

from vllm_gateway.admission.keys.record import KeyRecord, RecordInvalid, new_record
from vllm_gateway.admission.keys.stores.file import FileStore
from vllm_gateway.clock import HandClock
from vllm_gateway.exchange import Allowance
from vllm_gateway.serve.apart import LimitsApart, UnlimitedKeys, check_keys, warn_of_replicas
from vllm_gateway.settings import Settings
from vllm_gateway.settings.model import Upstream
from vllm_gateway.upstream.pool import Pool


def key(name: str, **limits: int) -> KeyRecord:
    """Return a key with these limits."""
    return new_record(f"sk-{name}-0123456789", name=name, created=1.0, allowance=Allowance(**limits))


def settings_in(folder: Path, workers: int = 2) -> Settings:
    """Return the settings of a gateway whose keys are in a file there."""
    return Settings.model_validate({"workers": workers, "auth": {"mode": "keys", "keys_file": str(folder / "keys")}})


async def test_keys_with_limits_keep_several_workers_from_starting(tmp_path: Path) -> None:
    """The key is named; one that is revoked, or has no limits, is no obstacle, and one worker counts alone."""
    store = FileStore(tmp_path / "keys")
    await store.add(key("ann"))
    await store.add(key("old", concurrent=1))
    await store.revoke("old", 2.0)
    await check_keys(settings_in(tmp_path))
    await store.add(key("bob", concurrent=1))
    with pytest.raises(LimitsApart, match=r"^The key bob has limits .* redis, or workers to 1\.$"):
        await check_keys(settings_in(tmp_path))
    await check_keys(settings_in(tmp_path, workers=1))


async def test_a_place_for_keys_without_limits_takes_no_others(tmp_path: Path) -> None:
    """Everything else is as it was."""
    store = UnlimitedKeys(FileStore(tmp_path / "keys"))
    with pytest.raises(RecordInvalid, match=r"limits\.backend"):
        await store.add(key("bob", tokens_per_day=1))
    await store.add(key("ann"))
    assert [each.name for each in await store.load()] == ["ann"]
    assert (await store.revoke("ann", 2.0)) is not None
    assert await store.has_changed()
    await store.close()


def test_a_replica_that_each_worker_counts_for_itself_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """One that is there, and one that comes; those without a limit are not worth a word."""
    caplog.set_level(logging.WARNING)
    pool = Pool([Upstream(url="http://h:1", max_concurrent=4)], clock=HandClock(), connect_s=1)
    warn_of_replicas(pool)
    pool.add(Upstream(url="http://h:2", max_concurrent=4))
    pool.add(Upstream(url="http://h:3"))
    assert [record.message.split(":")[0] for record in caplog.records] == ["replica default-1", "replica default-2"]
