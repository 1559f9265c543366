"""Replicas that sleep, so that others can use their accelerator, and how a request wakes one.

vLLM's `--enable-sleep-mode` (its routes need `VLLM_SERVER_DEV_MODE=1`): `/health` says 200 while it sleeps, and what
it is asked waits inside it until it is woken.
"""

import asyncio
import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from vllm_gateway import codec
from vllm_gateway.clock import Clock
from vllm_gateway.errors import GatewayError, ReplicaFailed, ReplicaSilent
from vllm_gateway.exchange import Exchange, Sink
from vllm_gateway.tasks import Tasks
from vllm_gateway.upstream.asking import ask
from vllm_gateway.upstream.connection import ConnectionFault
from vllm_gateway.upstream.deadlines import Deadlines
from vllm_gateway.upstream.heartbeat import audible
from vllm_gateway.upstream.replica import Replica
from vllm_gateway.upstream.sharing import NoRoom, Sharing

log = logging.getLogger(__name__)

MOST_S = 120.0
"""Seconds that a replica may take to wake: some hundred GiB of weights go back onto the accelerator."""
_POLL_S = 0.25
_STATES = re.compile(
    rb'^vllm:engine_sleep_state\{[^}\n]*?sleep_state="(awake|weights_offloaded|discard_all)"[^}\n]*\} (\S+)$',
    re.MULTILINE,
)
_OK = 200


def sleep_state(page: bytes) -> bool | None:
    """Read from a replica's metrics whether it sleeps; None when they do not say, or contradict each other.

    Of several API servers before one engine, each tells only of what was asked of itself.
    """
    awake = {float(value) for state, value in _states(page) if state == b"awake"}
    return awake == {0.0} if len(awake) == 1 else None


def has_no_weights(page: bytes) -> bool:
    """Say whether a replica that sleeps has thrown its weights away: woken, it would make nonsense."""
    return any(state == b"discard_all" and float(value) > 0 for state, value in _states(page))


def _states(page: bytes) -> list[tuple[bytes, bytes]]:
    if b"vllm:engine_sleep_state{" not in page:
        return []
    return [(state, value) for state, value in _STATES.findall(page) if value in {b"0.0", b"1.0", b"0", b"1"}]


async def look(replica: Replica) -> None:
    """Ask a replica whether it sleeps, and take note; one that has no such route is awake.

    Raises:
        ConnectionFault: there is no answer.
    """
    status, _, body = await ask(replica, b"GET", "/is_sleeping")
    is_sleeping = status == _OK and _says_so(body)
    if is_sleeping != replica.is_sleeping:
        log.info("replica %s %s", replica.name, "sleeps" if is_sleeping else "is awake")
    replica.is_sleeping = is_sleeping


def awake_first(replicas: Sequence[Replica]) -> Sequence[Replica]:
    """Return those that are awake; when all of them sleep, all."""
    for replica in replicas:
        if not replica.is_awake:
            return [each for each in replicas if each.is_awake] or replicas
    return replicas


class Waking:
    """Wakes replicas; many requests together wake one once."""

    def __init__(
        self,
        *,
        sharing: Sharing,
        heartbeat_s: float,
        deadlines: Deadlines,
        clock: Clock,
        most_s: float = MOST_S,
        poll_s: float = _POLL_S,
    ) -> None:
        self.sharing = sharing
        self.heartbeat_s = heartbeat_s
        """How often a waiting stream carries a comment."""
        self._deadlines = deadlines
        self._clock = clock
        self._most_s = most_s
        self._poll_s = poll_s
        self._tasks = Tasks("waking")
        self._under_way: dict[Replica, asyncio.Task[_Failure | None]] = {}

    async def close(self) -> None:
        """Wait for nobody any more."""
        await self._tasks.close()

    def begin(self, replica: Replica) -> "asyncio.Task[_Failure | None]":
        """Wake a replica, unless that is under way; it goes on whether or not somebody waits for it."""
        under_way = self._under_way.get(replica)
        if under_way is None:
            under_way = self._under_way[replica] = self._tasks.start(self._wake(replica), name=replica.name)
        return under_way

    def notice(self, replica: Replica) -> None:
        """Wake a replica that was just looked at, if it fell asleep while a request was on its way to it."""
        if replica.is_sleeping and replica.wakes_on_request and replica.outstanding:
            self.begin(replica)

    async def wake(self, replica: Replica) -> None:
        """Return when a replica is awake.

        Raises:
            ReplicaFailed: it cannot be woken.
            ReplicaSilent: it takes too long.
        """
        with self._waits(replica):
            _check(await asyncio.shield(self.begin(replica)))

    async def wake_audibly(self, exchange: Exchange, replica: Replica, sink: Sink) -> None:
        """Return when a replica is awake; meanwhile the caller's stream carries comments.

        Raises:
            ReplicaFailed: it cannot be woken.
            ReplicaSilent: it takes too long.
        """
        with (
            self._waits(replica),
            audible(exchange, sink, every_s=self.heartbeat_s, deadlines=self._deadlines, clock=self._clock),
        ):
            _check(await sink.until(asyncio.shield(self.begin(replica))))

    @contextmanager
    def _waits(self, replica: Replica) -> Iterator[None]:
        self.sharing.waiting[replica] += 1
        try:
            yield
        finally:
            self.sharing.waiting[replica] -= 1
            if not self.sharing.waiting[replica]:
                del self.sharing.waiting[replica]

    async def _wake(self, replica: Replica) -> "_Failure | None":
        """Wake a replica, and return why it did not wake."""
        began = self._clock.now()
        try:
            async with self.sharing.turn(replica):
                failure = await self._take_turn(replica)
        except NoRoom as refused:
            failure = ReplicaFailed, str(refused)
        except TimeoutError:
            failure = ReplicaSilent, "The model server sleeps, and did not wake in time."
        except ConnectionFault as fault:
            log.debug("waking replica %s: %s", replica.name, fault)
            failure = ReplicaFailed, "The model server sleeps, and could not be woken."
        finally:
            del self._under_way[replica]
        if failure is None:
            log.info("replica %s was woken in %.1f s", replica.name, self._clock.now() - began)
        else:
            log.warning("replica %s could not be woken: %s", replica.name, failure[1])
        return failure

    async def _take_turn(self, replica: Replica) -> "_Failure | None":
        if replica.accelerator and replica.is_awake:
            return None  # whoever was to have its place could not
        await self.sharing.make_room(replica)
        async with asyncio.timeout(self._most_s):
            failure = await self._roused(replica)
        if failure is None:
            self.sharing.woke(replica)
        return failure

    async def _roused(self, replica: Replica) -> "_Failure | None":
        status, _, page = await ask(replica, b"GET", "/metrics")
        if status == _OK and has_no_weights(page):
            return ReplicaFailed, "The model server sleeps without its weights; whoever runs it must load them again."
        status, _, _ = await ask(replica, b"POST", "/wake_up")
        if status != _OK:
            return ReplicaFailed, "The model server sleeps, and refused to be woken."
        await look(replica)
        while replica.is_sleeping:
            await asyncio.sleep(self._poll_s)
            await look(replica)
        return None


_Failure = tuple[type[GatewayError], str]
"""What those who wait are told, each with an error of its own."""


def _check(failure: _Failure | None) -> None:
    if failure is not None:
        kind, message = failure
        raise kind(message)


def _says_so(body: bytes) -> bool:
    try:
        value = codec.loads(body)
    except codec.MalformedJson:
        return False
    return isinstance(value, dict) and value.get("is_sleeping") is True
