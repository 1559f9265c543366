"""What several workers would each count for themselves and the settings do not tell: limits of keys."""

import logging

from typing_extensions import override

from vllm_gateway.admission.keys.record import NO_LIMITS, KeyRecord, RecordInvalid
from vllm_gateway.admission.keys.store import KeyStore, StoreUnusable
from vllm_gateway.admission.keys.stores.choose import open_key_store
from vllm_gateway.clock import SystemClock
from vllm_gateway.settings.model import Settings

log = logging.getLogger(__name__)

_CURE = "Set limits.backend to redis, or workers to 1."


class LimitsApart(Exception):
    """A key has limits that no process could hold alone; `str()` of it is one sentence that says what to do."""


def counts_apart(settings: Settings) -> bool:
    """Say whether each of several processes would count for itself what a key has used."""
    return settings.workers > 1 and settings.limits.backend == "memory"


async def check_keys(settings: Settings) -> None:
    """Return when no key has a limit that each process would count for itself.

    Raises:
        LimitsApart: one has.
    """
    if settings.auth.mode != "keys" or not counts_apart(settings):
        return
    store, wall = open_key_store(settings.auth, settings.state), SystemClock().wall()
    try:
        limited = [each for each in await store.load() if each.is_valid(wall) and each.allowance != NO_LIMITS]
    except StoreUnusable:
        return  # which is told by those that use it
    finally:
        await store.close()
    if limited:
        sentence = f"The key {limited[0].name} has limits of its own, which several workers cannot count in memory."
        raise LimitsApart(f"{sentence} {_CURE}")


class UnlimitedKeys(KeyStore):
    """A place for keys that takes none with limits of its own."""

    def __init__(self, inner: KeyStore) -> None:
        self._inner = inner

    @override
    async def load(self) -> list[KeyRecord]:
        return await self._inner.load()

    @override
    async def has_changed(self) -> bool:
        return await self._inner.has_changed()

    @override
    async def add(self, record: KeyRecord) -> None:
        if record.allowance != NO_LIMITS:
            raise RecordInvalid(f"Limits of a key cannot be counted by several workers in memory. {_CURE}")
        await self._inner.add(record)

    @override
    async def revoke(self, wanted: str, at: float) -> KeyRecord | None:
        return await self._inner.revoke(wanted, at)

    @override
    async def close(self) -> None:
        await self._inner.close()


class CountableKeys(UnlimitedKeys):
    """A place for keys in which those with limits of their own are not found: one that came later lets nobody in."""

    def __init__(self, inner: KeyStore) -> None:
        super().__init__(inner)
        self._told: set[str] = set()
        """The keys of which the log has a line."""

    @override
    async def load(self) -> list[KeyRecord]:
        records = await super().load()
        for record in records:
            if record.allowance != NO_LIMITS and record.revoked is None and record.id not in self._told:
                self._told.add(record.id)
                log.error(
                    "the key %s (%s) is refused: several workers cannot count its limits in memory. %s",
                    record.name,
                    record.id,
                    _CURE,
                )
        return [record for record in records if record.allowance == NO_LIMITS]
