"""The ledger keeps the ids of keys; what people call them is looked up when it is read."""

from collections.abc import Iterable
from typing import NamedTuple


class KnownKey(NamedTuple):
    """A key and what it goes by."""

    caller: str
    """As the ledger knows it."""
    id: str
    """As those who look after keys do."""
    name: str


class KeyNames:
    """Finds names for keys, and keys for names."""

    def __init__(self, known: Iterable[KnownKey] = ()) -> None:
        self._known = {key.caller: key for key in known}

    def name(self, caller: str | None) -> str | None:
        """Return the name of a key, if it has one."""
        key = self._known.get(caller or "")
        return None if key is None else key.name

    def callers(self, wanted: str) -> frozenset[str]:
        """Return the keys that are meant: by one of their ids, or by a name, which several may have."""
        found = {key.caller for key in self._known.values() if wanted in key}
        return frozenset(found or {wanted})
