"""Keys and stores for the tests."""

from dataclasses import dataclass, field

from vllm_gateway.admission.keys.record import KeyRecord, new_record
from vllm_gateway.admission.keys.secret import mint
from vllm_gateway.admission.keys.store import StoreUnusable, pick
from vllm_gateway.callers import Allowance, Priority

WALL = 1_700_000_000.0


def made(
    name: str = "ann",
    *,
    created: float = WALL,
    expires: float | None = None,
    models: tuple[str, ...] = (),
    rpm: int = 0,
    priority: Priority = Priority.STANDARD,
) -> tuple[str, KeyRecord]:
    """Return a new key and its record."""
    secret = mint()
    allowance = Allowance(requests_per_minute=rpm)
    record = new_record(
        secret, name=name, created=created, expires=expires, models=models, allowance=allowance, priority=priority
    )
    return secret, record


@dataclass(slots=True)
class ListStore:
    """Keeps keys in this process; counts how often it is asked, and can be out of order."""

    records: list[KeyRecord] = field(default_factory=list)
    is_broken: bool = False
    loads: int = 0
    looks: int = 0
    loaded: list[KeyRecord] | None = None

    async def load(self) -> list[KeyRecord]:
        """Return all keys."""
        self.loads += 1
        self._fail()
        self.loaded = list(self.records)
        return list(self.records)

    async def has_changed(self) -> bool:
        """Say whether they are others than before."""
        self.looks += 1
        self._fail()
        return self.records != self.loaded

    async def add(self, record: KeyRecord) -> None:
        """Append a key."""
        self.records.append(record)

    async def revoke(self, wanted: str, at: float) -> KeyRecord | None:
        """Drop a key; nobody here looks at those that are revoked."""
        found = pick(self.records, wanted)
        self.records = [record for record in self.records if record is not found]
        return found if at else None

    async def close(self) -> None:
        """Nothing is held open."""

    def _fail(self) -> None:
        if self.is_broken:
            raise StoreUnusable("It is broken.")
