"""Where client keys are kept: one promise, and several ways to keep it."""

from collections.abc import Iterable
from typing import Protocol

from vllm_gateway.admission.keys.record import KeyRecord


class StoreUnusable(Exception):
    """Keys cannot be read or written there; `str()` of it is one sentence that says why."""


class NameAmbiguous(Exception):
    """Several keys have the name; `str()` of it is one sentence that tells them apart."""


class KeyStore(Protocol):
    """Keeps keys beyond the end of a process. Every method may raise `StoreUnusable`.

    Keys are added and revoked, never changed or deleted: what is revoked stays, so that it can be told who had it.
    """

    async def load(self) -> list[KeyRecord]:
        """Return all keys, the oldest first."""
        ...

    async def has_changed(self) -> bool:
        """Say whether the keys may be others than at the last `load`; this is cheap."""
        ...

    async def add(self, record: KeyRecord) -> None:
        """Keep a new key."""
        ...

    async def revoke(self, wanted: str, at: float) -> KeyRecord | None:
        """Revoke the key with this id, or the only one that has this name; None when there is none.

        One that is revoked already stays as it is.

        Raises:
            NameAmbiguous: several keys that are not revoked have the name.
        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


def pick(records: Iterable[KeyRecord], wanted: str) -> KeyRecord | None:
    """Return the key with this id, or the only one with this name among those that are not revoked.

    Raises:
        NameAmbiguous: several have the name.
    """
    found = [record for record in records if wanted == record.id or (wanted == record.name and record.revoked is None)]
    if len(found) > 1:
        ids = ", ".join(record.id for record in found)
        raise NameAmbiguous(f"{len(found)} keys have the name '{wanted}'; name one by its id: {ids}.")
    return found[0] if found else None
