"""Limits of keys that several workers could not count together."""

import logging
from pathlib import Path

import pytest

from vllm_gateway.admission.keys.record import KeyRecord, RecordInvalid, new_record
from vllm_gateway.admission.keys.stores.file import FileStore
from vllm_gateway.callers import Allowance
from vllm_gateway.serve.apart import CountableKeys, LimitsApart, UnlimitedKeys, check_keys
from vllm_gateway.settings import Settings


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


async def test_a_key_with_limits_that_comes_later_is_not_found(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever makes one on the command line is told once in the log; it opens no door."""
    caplog.set_level(logging.ERROR)
    store = CountableKeys(FileStore(tmp_path / "keys"))
    await FileStore(tmp_path / "keys").add(key("ann"))
    await FileStore(tmp_path / "keys").add(key("bob", concurrent=1))
    assert [[each.name for each in await store.load()] for _ in range(2)] == [["ann"]] * 2
    assert [record.message.split(" (")[0] for record in caplog.records] == ["the key bob"]
