"""A stream whose replica failed on the way goes on from another one."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from random import Random

from vllm_gateway.clock import Clock
from vllm_gateway.exchange import Exchange, Leg, Sink
from vllm_gateway.settings.fleet import Resume
from vllm_gateway.settings.model import Timeouts
from vllm_gateway.upstream.answers import AttemptFailed, Stream
from vllm_gateway.upstream.asking import ask
from vllm_gateway.upstream.backoff import askable, patience
from vllm_gateway.upstream.budget import RetryBudget
from vllm_gateway.upstream.connection import ConnectionFault
from vllm_gateway.upstream.kin import kin_of
from vllm_gateway.upstream.panic import candidates
from vllm_gateway.upstream.replica import Replica
from vllm_gateway.upstream.tries import Choose, Errand, Question, Tries

log = logging.getLogger(__name__)

_ASK_S = 5.0
"""How long a replica that is to go on may take to answer a short question."""
_CONNECT_S = 0.5
"""A replica to which no connection can be made in this time is taken for dead."""
DEADLY_S = 10.0
"""A replica that dies later than this after it was asked died of something else."""
DEADLY = 2
"""A request that so many replicas died of is tried on no other."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A stream that broke off."""

    exchange: Exchange
    sink: Sink
    timeouts: Timeouts
    stream: Stream
    question: Question
    """What its first replica was asked."""
    lost: list[Replica]
    """Replicas that went away while they were at work on it."""


class Resuming:
    """Lets broken streams go on."""

    def __init__(
        self, settings: Resume, tries: Tries, budget: RetryBudget, *, panic_percent: float, clock: Clock, chance: Random
    ) -> None:
        self._panic_percent = panic_percent
        self._clock = clock
        self._chance = chance
        self._most = settings.attempts
        self._tries = tries
        self._budget = budget

    async def go_on(self, broken: Broken, failed: AttemptFailed, others: Sequence[Replica], choose: Choose) -> None:
        """Have the rest of the stream passed on by one of `others`.

        The first time costs nothing of the retry budget: the work was accepted, and a stream goes on at most so often
        as the settings allow. When a replica with many streams dies, all of them must go on at once.

        Raises:
            AttemptFailed: nobody could; it is why the stream broke off last.
        """
        reason, resumes = failed.verdict.error.code, self._tries.tally.resumes
        if self._ends(broken):
            resumes["completed", reason] += 1
            return
        untried = list(others)
        legs = 0
        while failed.verdict.is_retryable and legs < self._most and len(broken.lost) < DEADLY:
            untried = [replica for replica in candidates(untried, self._panic_percent) if replica.is_awake]
            if not untried or (legs and not self._budget.spend()):
                break
            replica = choose(_ready(untried, self._clock.now()))
            untried.remove(replica)
            leg = await self._placed_leg(broken, replica)
            if leg is None:
                continue
            legs += 1
            try:
                await self._follow(broken, replica, leg)
            except AttemptFailed as again:
                if again.verdict.is_overload:  # it did nothing, so it costs nothing
                    legs -= 1
                    wait_s = patience(again.verdict.retry_after_s, self._chance)
                    replica.patience_until = max(replica.patience_until, self._clock.now() + wait_s)
                if again.is_broken and again.lasted_s < DEADLY_S and await is_dead(replica):
                    broken.lost.append(replica)
                failed = again if again.has_delivered else failed
            else:
                broken.exchange.resumed += 1
                resumes["resumed", reason] += 1
                log.info("exchange %s: its stream went on from replica %s", broken.exchange.id, replica.name)
                return
        resumes["failed", reason] += 1
        log.info("exchange %s: its stream broke off and could not go on", broken.exchange.id)
        raise failed

    def _ends(self, broken: Broken) -> bool:
        """Complete a stream of which nothing but the end was missing; say whether that was so."""
        stream = broken.stream
        ending = stream.recovery.ending() if stream.recovery is not None else b""
        if not ending:
            return False
        stream.watch.mend()
        broken.sink.write(stream.watch.feed(ending))
        broken.exchange.usage = stream.watch.usage
        broken.sink.end()
        return True

    async def _placed_leg(self, broken: Broken, replica: Replica) -> Leg | None:
        """Take a place first, so that many streams that break off together see of each other where they go."""
        await self._tries.place(broken.exchange, [replica], lambda replicas: replicas[0], broken.sink)
        leg = None
        try:
            leg = await self._leg(broken, replica)
        finally:
            if leg is None:
                self._tries.leave(broken.exchange, replica)
        return leg

    async def _leg(self, broken: Broken, replica: Replica) -> Leg | None:
        """Return what the replica is to be asked, if it can go on."""
        stream = broken.stream
        if stream.recovery is None or stream.kin is None:
            return None
        kin = kin_of(replica, broken.exchange.model or "")
        ask = partial(_ask, replica, broken.exchange.caller.upstream_key)
        is_sure = kin.is_known_with(stream.kin)
        return await stream.recovery.next_leg(ask, is_twin=kin.is_twin_of(stream.kin), is_sure=is_sure)

    async def _follow(self, broken: Broken, replica: Replica, leg: Leg) -> None:
        exchange, stream = broken.exchange, broken.stream
        question = Question(leg.path, broken.question.headers, leg.body)
        stream.watch.mend()
        await self._tries.ask(Errand(exchange, broken.sink, broken.timeouts, lambda: stream), replica, question)


def _ready(replicas: Sequence[Replica], now: float) -> Sequence[Replica]:
    """Return those that can begin at once; when there are none, those that did not ask for patience, or all."""
    patient = askable(replicas, now) or replicas
    return [replica for replica in patient if replica.has_room] or patient


async def is_dead(replica: Replica) -> bool:
    """Say whether nobody listens where a replica was."""
    try:
        async with asyncio.timeout(_CONNECT_S):
            connection = await replica.connect()
    except (ConnectionFault, TimeoutError):
        return True
    connection.close()
    return False


async def _ask(replica: Replica, callers_key: bytes, path: str, body: bytes) -> bytes | None:
    """Ask a replica a short question; None when there is no good answer."""
    try:
        async with asyncio.timeout(_ASK_S):
            answer = await ask(replica, b"POST", path, body, callers_key=callers_key)
    except (ConnectionFault, TimeoutError):
        return None
    return answer.body if answer.status == HTTPStatus.OK else None
