"""The turns of a session, one after the other: in order on this gateway, one at a time on all of them."""

import asyncio
import itertools
import logging
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from vllm_gateway.clock import Clock
from vllm_gateway.errors import GatewayError, SessionBusy, SessionUnknown, StoreFailed
from vllm_gateway.sessions.model import Begun, Session, Turn
from vllm_gateway.sessions.owners import UNKNOWN
from vllm_gateway.sessions.store import Permit, SessionTaken, Store
from vllm_gateway.tasks import Tasks

log = logging.getLogger(__name__)

MayUse = Callable[[Session], bool]
"""Says whether a session is the caller's."""

LEASE_S = 30.0
"""How long a turn is safe without a sign of life of its gateway; one that dies blocks its sessions for so long."""
_RENEW_S = LEASE_S / 3
CLOSING_S = 3.0
"""How long a store may take at the end of the gateway."""
_AGAIN_S = 1.0
"""How often a store that is away is asked to give up a turn."""
_POLL_S = 0.05
"""How often a turn looks whether another gateway's turn is over."""


class HeldTurn:
    """A turn that has been begun; it ends with `finish`, or leaves no trace."""

    def __init__(self, store: Store, session_id: str, holder: str, begun: Begun) -> None:
        self.begun = begun
        self.is_finished = False
        self._store = store
        self._session_id = session_id
        self._holder = holder

    async def finish(self, turn: Turn) -> Session:
        """Keep what was said; when this returns it outlives the gateway.

        Whoever is cancelled meanwhile leaves the session as it was, unless the store is committing the turn already.

        Raises:
            SessionUnknown: the session was deleted meanwhile.
            StoreFailed: it could not be kept, and will not be kept later.
        """
        permit = Permit()
        try:
            session = await self._store.finish(self._session_id, self._holder, turn, permit)
        except asyncio.CancelledError:
            permit.withdraw()
            raise
        self.is_finished = True
        if session is None:
            raise SessionUnknown("The session was stopped while its answer was under way.", param="session_id")
        return session


class Turns:
    """Begins turns, and lets those of one session wait for each other."""

    def __init__(self, store: Store, *, wait_s: float, clock: Clock) -> None:
        self._store = store
        self._wait_s = wait_s
        self._clock = clock
        self._tasks = Tasks("turns")
        self._leasing = Tasks("leases")
        self._name = secrets.token_hex(8)
        self._numbers = itertools.count()
        self._locks: dict[str, asyncio.Lock] = {}
        self._users: dict[str, int] = {}
        self._leases: dict[str, str] = {}
        """The sessions of the turns under way, by holder."""
        self._renewing: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def begin(self, session_id: str, may_use: MayUse) -> AsyncIterator[HeldTurn]:
        """Hold a session for one turn, after those that came before it.

        Raises:
            SessionBusy: they took too long.
            SessionUnknown: there is none, or `may_use` says that it is not this caller's.
            StoreFailed: it could not be read.
        """
        deadline = self._clock.now() + self._wait_s
        async with self._in_order(session_id, may_use):
            holder = f"{self._name}-{next(self._numbers)}"
            held = await self._take(session_id, holder, deadline, may_use)
            self._leases[holder] = session_id
            if self._renewing is None:
                self._renewing = self._leasing.start(self._keep_renewing(), name="renew leases")
            try:
                if not may_use(held.begun.session):
                    raise SessionUnknown(UNKNOWN, param="session_id")
                yield held
            finally:
                del self._leases[holder]
                if not held.is_finished:
                    leaving = self._tasks.start(self._abandon(session_id, holder), name="abandon a turn")
                    await asyncio.shield(leaving)

    async def close(self) -> None:
        """Let what is being written come to its end; leases that are left run out by themselves."""
        await self._leasing.close()
        await self._tasks.finish(within_s=CLOSING_S)

    @asynccontextmanager
    async def _in_order(self, session_id: str, may_use: MayUse) -> AsyncIterator[None]:
        """Let the turns of a session on this gateway pass one by one, first come, first served."""
        lock = self._locks.setdefault(session_id, asyncio.Lock())
        self._users[session_id] = self._users.get(session_id, 0) + 1
        try:
            if lock.locked():
                await self._check(session_id, may_use)
                await self._wait_for(lock)
            else:
                await lock.acquire()
            try:
                yield
            finally:
                lock.release()
        finally:
            self._users[session_id] -= 1
            if not self._users[session_id]:
                del self._users[session_id], self._locks[session_id]

    async def _wait_for(self, lock: asyncio.Lock) -> None:
        try:
            async with asyncio.timeout(self._wait_s):
                await lock.acquire()
        except TimeoutError:
            raise self._busy() from None

    async def _check(self, session_id: str, may_use: MayUse) -> None:
        """Return when the session is the caller's: nobody else is to learn that it exists by having to wait."""
        session = await self._store.find(session_id, self._clock.wall())
        if session is None or not may_use(session):
            raise SessionUnknown(UNKNOWN, param="session_id")

    async def _take(self, session_id: str, holder: str, deadline: float, may_use: MayUse) -> HeldTurn:
        while True:
            taking = self._tasks.start(self._try(session_id, holder), name="begin a turn")
            try:
                begun = await asyncio.shield(taking)
            except asyncio.CancelledError:  # the store may have begun it already, for nobody
                self._tasks.start(self._give_up(taking, session_id, holder), name="give up a turn")
                raise
            if isinstance(begun, Begun):
                return HeldTurn(self._store, session_id, holder, begun)
            if isinstance(begun, StoreFailed):  # the store may begin it all the same, late and for nobody
                self._tasks.start(self._abandon_surely(session_id, holder), name="give up a turn")
            if not isinstance(begun, SessionTaken):
                raise begun
            await self._check(session_id, may_use)
            if self._clock.now() + _POLL_S > deadline:
                raise self._busy()
            await asyncio.sleep(_POLL_S)

    async def _try(self, session_id: str, holder: str) -> Begun | SessionTaken | GatewayError:
        """Return the begun turn, or why there is none: as a value, because nobody may be there to hear it."""
        try:
            begun = await self._store.begin(session_id, holder, self._clock.wall(), lease_s=LEASE_S)
        except (SessionTaken, StoreFailed) as reason:
            return reason
        return begun or SessionUnknown(UNKNOWN, param="session_id")

    async def _give_up(
        self, taking: "asyncio.Task[Begun | SessionTaken | GatewayError]", session_id: str, holder: str
    ) -> None:
        await asyncio.wait([taking])
        await self._abandon(session_id, holder)

    async def _keep_renewing(self) -> None:
        """Prolong the leases of long turns."""
        while True:
            await asyncio.sleep(_RENEW_S)
            for holder, session_id in list(self._leases.items()):
                try:
                    await self._store.renew(session_id, holder, self._clock.wall(), lease_s=LEASE_S)
                except StoreFailed:
                    log.warning("the lease of a turn could not be renewed; it lasts for %g s in all", LEASE_S)

    async def _abandon_surely(self, session_id: str, holder: str) -> None:
        """Give up what a store that is away may have begun, as soon as it is back; no lease lasts longer than this."""
        for _ in range(int(LEASE_S / _AGAIN_S)):
            try:
                await self._store.abandon(session_id, holder)
            except StoreFailed:
                await asyncio.sleep(_AGAIN_S)
            else:
                return

    async def _abandon(self, session_id: str, holder: str) -> None:
        try:
            await self._store.abandon(session_id, holder)
        except StoreFailed:
            log.warning("a turn could not be given up; its session is free again when the lease has run out")

    def _busy(self) -> SessionBusy:
        return SessionBusy(
            f"Another turn of this session has not come to its end within {self._wait_s:g} s. Wait for its answer.",
            param="session_id",
            retry_after_s=1,
        )
