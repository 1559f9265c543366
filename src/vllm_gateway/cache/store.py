"""What every place for answers promises."""

from collections.abc import Sequence
from typing import Protocol


class Store(Protocol):
    """Keeps texts for a while. It may forget any of them at any time, and never fails: at worst it knows nothing."""

    @property
    def is_away(self) -> bool:
        """It cannot be reached for now; nothing is found and nothing is kept."""
        ...

    async def find(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return what is kept under each key."""
        ...

    async def keep(self, entries: Sequence[tuple[bytes, bytes]], ttl_s: float) -> None:
        """Keep each text under its key for so long."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class SharedStore(Store, Protocol):
    """Lets several processes agree on which of them answers a request; where it cannot be reached, each may."""

    async def claim(self, key: bytes, claim: bytes, ttl_s: float) -> bytes:
        """Put a claim to a key for so long, or for so long again; return the claim that there is now."""
        ...

    async def release(self, key: bytes, claim: bytes) -> None:
        """Take a claim back, if it is still there."""
        ...
