"""Records on their way from the hot path to the store: taken in no time, written in batches beside it."""

import asyncio
import logging
import secrets
from collections import deque
from itertools import islice

from vllm_gateway.clock import Clock
from vllm_gateway.tasks import Tasks
from vllm_gateway.telemetry.usage.question import day_of
from vllm_gateway.telemetry.usage.record import UsageRecord
from vllm_gateway.telemetry.usage.store import Entry, StoreUnusable, UsageStore

log = logging.getLogger(__name__)

EVERY_S = 0.5
"""How often what was taken is written; so much and the time of one write is lost when the process is killed."""
MAX_PAUSE_S = 8.0
"""The longest pause between two attempts at a store that is away."""
MAX_HELD = 100_000
"""Records that are held while the store is away: about 30 MB."""
BATCH = 1000
"""Records of one transaction: so few that the loop is held for two milliseconds; a transaction itself takes three."""
_LAST_WORDS_S = 5.0
"""How long the end of the process waits for the store."""
_LAST_TRIES = 10
_TRY_AGAIN_S = 0.2
"""Other processes that end at the same moment may be writing: a store that is busy is asked again."""
_SWEEP_EVERY_S = 3600.0
_SWEPT_AT_ONCE = 5_000


class Writer:
    """Writes every record once; what does not fit while the store is away is counted, and nobody waits for it."""

    def __init__(
        self,
        store: UsageStore,
        *,
        keep_days: int,
        clock: Clock,
        every_s: float = EVERY_S,
        max_pause_s: float = MAX_PAUSE_S,
        max_held: int = MAX_HELD,
    ) -> None:
        self.written = 0
        """Records that the store has acknowledged."""
        self.lost = 0
        """Records that there was no room for."""
        self._store = store
        self._keep_days = keep_days
        self._clock = clock
        self._every_s = every_s
        self._max_pause_s = max_pause_s
        self._max_held = max_held
        self._name = secrets.token_hex(8)
        self._held: deque[UsageRecord] = deque()
        self._is_away = False
        self._lost_told = 0
        self._next_sweep = clock.now()
        self._is_closing = asyncio.Event()
        self._tasks = Tasks("usage ledger")
        self._running: asyncio.Task[None] | None = None

    @property
    def held(self) -> int:
        """Records that are still to be written."""
        return len(self._held)

    def take(self, record: UsageRecord) -> None:
        """Take a record in; this is all that a request waits for."""
        if len(self._held) < self._max_held:
            self._held.append(record)
        else:
            self.lost += 1

    def open(self) -> None:
        """Begin to write."""
        self._running = self._tasks.start(self._run(), name="writing")

    async def close(self) -> None:
        """Write what is held, within some seconds."""
        self._is_closing.set()
        if self._running is not None:
            await asyncio.wait([self._running], timeout=_LAST_WORDS_S)
        await self._tasks.close()
        if self._held:
            self.lost += len(self._held)
            self._held.clear()
        self._tell_lost()

    async def _run(self) -> None:
        pause_s = self._every_s
        while not self._is_closing.is_set():
            await self._pause(pause_s)
            pause_s = self._every_s if await self._work() else min(pause_s * 2, self._max_pause_s)
        for _ in range(_LAST_TRIES):
            if await self._work():
                return
            await asyncio.sleep(_TRY_AGAIN_S)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._is_closing.wait()
        except TimeoutError:
            return

    async def _work(self) -> bool:
        """Write what is held now, and forget some of what is old; say whether the store took it."""
        try:
            await self._write(len(self._held))
            await self._sweep()
        except StoreUnusable as fault:
            if not self._is_away:
                self._is_away = True
                log.error("%s Up to %d requests are held in memory.", fault, self._max_held)  # noqa: TRY400 - one line
            return False
        if self._is_away:
            self._is_away = False
            log.warning("the usage ledger is written again")
        self._tell_lost()
        return True

    async def _write(self, count: int) -> None:
        """Write the `count` oldest records; those of a batch that fails keep their numbers and their places."""
        while count > 0:
            batch = [
                Entry(self._name, self.written + place, record)
                for place, record in enumerate(islice(self._held, min(count, BATCH)))
            ]
            await self._store.write(batch)
            for _ in batch:
                self._held.popleft()
            self.written += len(batch)
            count -= len(batch)

    async def _sweep(self) -> None:
        """Delete some of what is too old, once an hour; while there is more, at every turn."""
        if not self._keep_days or self._clock.now() < self._next_sweep:
            return
        first_kept = day_of(self._clock.wall()) - self._keep_days
        if await self._store.delete_before(first_kept, limit=_SWEPT_AT_ONCE) < _SWEPT_AT_ONCE:
            self._next_sweep = self._clock.now() + _SWEEP_EVERY_S

    def _tell_lost(self) -> None:
        """Say how many requests are missing, once for each time that there was no room."""
        if self.lost > self._lost_told:
            log.error("%d requests are missing from the usage ledger", self.lost - self._lost_told)
            self._lost_told = self.lost
