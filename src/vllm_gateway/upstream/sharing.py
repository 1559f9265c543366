"""Replicas that share one accelerator, which holds a single one of them awake at a time.

Whoever is to be woken first gets room: those that are awake take nothing new, finish what they are answering, and are
put to sleep. What is asked of them meanwhile waits for their next turn, all of it together, so that a mixed load is
answered in groups and not with a swap for every request.
"""

import asyncio
import logging
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable

from vllm_gateway.clock import Clock
from vllm_gateway.upstream.asking import ask
from vllm_gateway.upstream.connection import ConnectionFault
from vllm_gateway.upstream.replica import Replica

log = logging.getLogger(__name__)

_POLL_S = 0.02
_LOOK_S = 10.0
"""Seconds that a replica may take to say whether it sleeps."""
_SLEEP_S = 120.0
"""Seconds that a replica may take to fall asleep: its weights go into the machine's own memory."""
_OK = 200

_SILENT = "Another model holds the accelerator and does not answer. Try again in a moment."


class NoRoom(Exception):
    """The accelerator is not given up; `str()` of it is the sentence for those who wait."""


class Sharing:
    """Who of those that share an accelerator is awake."""

    def __init__(
        self,
        replicas: Callable[[], Iterable[Replica]],
        *,
        look: Callable[[Replica], Awaitable[None]],
        least_awake_s: float,
        clock: Clock,
        look_s: float = _LOOK_S,
        sleep_s: float = _SLEEP_S,
    ) -> None:
        self.least_awake_s = least_awake_s
        """How long one stays awake at least once it is."""
        self.waiting: Counter[Replica] = Counter()
        """Requests that have a place on a replica and wait for it to be woken."""
        self._replicas = replicas
        self._look = look
        """Asks a replica whether it sleeps, and takes note; what is known otherwise may be from before a swap."""
        self._clock = clock
        self._look_s = look_s
        self._sleep_s = sleep_s
        self._locks: dict[str, asyncio.Lock] = {}
        self._awake_since: dict[Replica, float] = {}

    def turn(self, replica: Replica) -> asyncio.Lock:
        """Return what is held by the one replica of an accelerator that is being woken."""
        return self._locks.setdefault(replica.accelerator or replica.name, asyncio.Lock())

    def woke(self, replica: Replica) -> None:
        """Take note that a replica is awake from now on."""
        if replica.accelerator:
            self._awake_since = {each: at for each, at in self._awake_since.items() if not each.is_removed}
            self._awake_since[replica] = self._clock.now()

    async def make_room(self, replica: Replica) -> None:
        """Return when everybody else on its accelerator sleeps.

        Raises:
            NoRoom: one of them refuses to, or does not answer; or all who waited for the replica have left.
        """
        for other in self._others(replica):
            try:
                async with asyncio.timeout(self._look_s):
                    await self._look(other)
            except ConnectionFault:
                continue  # it is most likely gone, and its memory with it
            except TimeoutError:
                raise NoRoom(_SILENT) from None
            if other.is_sleeping:
                continue
            await self._give_time(other, replica)
            other.is_yielding = True
            try:
                await self._until_idle(other, replica)
                await self._put_to_sleep(other)
            finally:
                other.is_yielding = False

    def _others(self, replica: Replica) -> list[Replica]:
        if not replica.accelerator:
            return []
        return [each for each in self._replicas() if each.accelerator == replica.accelerator and each is not replica]

    async def _give_time(self, other: Replica, replica: Replica) -> None:
        """Let one that has just been woken answer for a while: a swap costs more than most answers."""
        until = self._awake_since.get(other, -math.inf) + self.least_awake_s
        while (left_s := until - self._clock.now()) > 0 and not other.is_removed:
            _check_wanted(replica)
            await asyncio.sleep(min(left_s, 0.1))

    async def _until_idle(self, other: Replica, replica: Replica) -> None:
        while other.outstanding > self.waiting[other]:
            _check_wanted(replica)
            await asyncio.sleep(_POLL_S)

    async def _put_to_sleep(self, other: Replica) -> None:
        try:
            async with asyncio.timeout(self._sleep_s):
                status, _, _ = await ask(other, b"POST", "/sleep?level=1")
        except ConnectionFault as fault:
            log.warning("replica %s could not be asked to sleep: %s", other.name, fault)
            return  # it is most likely gone, and its memory with it
        except TimeoutError:
            log.warning("replica %s does not fall asleep", other.name)
            raise NoRoom(_SILENT) from None
        if status != _OK:
            log.warning("replica %s refused to sleep: status %d", other.name, status)
            raise NoRoom("Another model holds the accelerator and does not give it up. Try again in a moment.")
        other.is_sleeping = True
        log.info("replica %s sleeps, so that another one can be awake", other.name)


def _check_wanted(replica: Replica) -> None:
    """Return when somebody waits for a replica still: nobody is kept waiting for one that is wanted no more.

    Raises:
        NoRoom: all have left.
    """
    if not replica.outstanding:
        raise NoRoom("Nobody waits for it any more.")
