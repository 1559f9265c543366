"""From the replicas that can answer to an answer: choose, try, and when one fails have another begin anew or go on."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from vllm_gateway.clock import Clock
from vllm_gateway.errors import (
    GatewayError,
    ReplicaFailed,
    ReplicaOverloaded,
    ReplicaSilent,
    ReplicasUnusable,
    RouteUnsupported,
    wait_headers,
)
from vllm_gateway.exchange import Exchange, Recovery, Sink
from vllm_gateway.settings.fleet import Retry
from vllm_gateway.settings.model import Timeouts
from vllm_gateway.upstream.answers import AttemptFailed, Stream, start
from vllm_gateway.upstream.backoff import askable, patience, wait_before, wait_for_any
from vllm_gateway.upstream.budget import RetryBudget
from vllm_gateway.upstream.explaining import see
from vllm_gateway.upstream.hedging import Hedging
from vllm_gateway.upstream.kin import kin_of
from vllm_gateway.upstream.panic import candidates
from vllm_gateway.upstream.quarantine import Quarantine
from vllm_gateway.upstream.replica import Replica
from vllm_gateway.upstream.resuming import DEADLY, DEADLY_S, Broken, Resuming, is_dead
from vllm_gateway.upstream.route_timeouts import RouteTimeouts
from vllm_gateway.upstream.sleeping import Waking, awake_first
from vllm_gateway.upstream.tries import Errand, Question, Tries, first_question
from vllm_gateway.upstream.verdicts import Verdict

NewRecovery = Callable[[], Recovery]
"""Makes what knows how one streamed answer can go on from another replica."""


class Policy(Protocol):
    """Which replica of a route answers."""

    name: str

    def choose(self, candidates: Sequence[Replica], exchange: Exchange) -> Replica:
        """Return one of them; there is at least one."""
        ...

    def learn(self, exchange: Exchange, replica_name: str) -> None:
        """Take in what an answer told of the replica's prefix cache."""
        ...

    def weigh(self, candidates: Sequence[Replica], exchange: Exchange) -> dict[str, dict[str, float]]:
        """Return what speaks for each of them, by name, as it would be chosen by now."""
        ...


@dataclass(slots=True)
class _Course:
    """How the answer to one exchange has gone so far."""

    exchange: Exchange
    sink: Sink
    question: Question
    timeouts: Timeouts
    policy: Policy
    serving: Sequence[Replica]
    untried: list[Replica]
    new_recovery: NewRecovery | None
    tried: list[Replica] = field(default_factory=list)
    attempts_before: int = 0
    """Replicas of other models that were asked for the same exchange."""
    failed: AttemptFailed | None = None
    """The last failure."""
    lost: list[Replica] = field(default_factory=list)
    """Replicas that went away while they were at work on it."""

    def begin(self, replica: Replica) -> None:
        """Take note that a replica is tried."""
        self.untried.remove(replica)
        self.tried.append(replica)

    def choose(self, replicas: Sequence[Replica]) -> Replica:
        """Choose as the route's policy does, and note why where that is asked for."""
        explanation = self.exchange.trail.explanation
        if explanation is None:
            return self.policy.choose(replicas, self.exchange)
        weights = self.policy.weigh(replicas, self.exchange)
        chosen = self.policy.choose(replicas, self.exchange)
        explanation.choices.append({"chosen": chosen.name, "among": weights})
        return chosen


@dataclass(frozen=True, slots=True)
class Ways:
    """What a relay does when a replica is not fit, late, or fails."""

    retry: Retry
    panic_percent: float
    budget: RetryBudget
    timeouts: RouteTimeouts
    resuming: Resuming
    quarantine: Quarantine
    waking: Waking
    hedging: Hedging | None
    """None: no request is asked twice."""
    hands_back: Callable[[str | None, GatewayError], bool]
    """Says that another model may stand in for one that failed so: then its replica's words are not for the caller."""


class Relay:
    """Gets an exchange answered by one of the replicas it is given."""

    def __init__(
        self,
        tries: Tries,
        ways: Ways,
        *,
        policy_of: Callable[[str], Policy],
        clock: Clock,
        chance: random.Random,
    ) -> None:
        self._tries = tries
        self._ways = ways
        self._policy_of = policy_of
        self._clock = clock
        self._chance = chance

    async def run(
        self,
        exchange: Exchange,
        serving: Sequence[Replica],
        body: bytes,
        sink: Sink,
        new_recovery: NewRecovery | None = None,
    ) -> None:
        """Pass on the answer of one of `serving` to `sink`.

        Raises:
            GatewayError: nobody answered, or an answer broke off after its beginning had reached the caller.
        """
        self._ways.budget.earn()
        course = self._begin(exchange, serving, body, sink, new_recovery)
        while True:
            replica = self._take(course) or await self._place(course)
            if replica is None:
                break
            try:
                await self._ask(course, replica)
            except AttemptFailed as failed:
                course.failed = failed
                if failed.has_delivered:
                    await self._go_on(course, failed)
                elif await self._may_go_on(course, failed.verdict):
                    continue
                else:
                    break
            self._ways.quarantine.acquit(body)
            if not exchange.resumed:  # or what was seen is of more than one replica
                course.policy.learn(exchange, exchange.replica or "")
                _learn_fingerprint(course)
            return
        self._conclude(course)

    async def close(self) -> None:
        """End what is asked twice."""
        if self._ways.hedging is not None:
            await self._ways.hedging.close()

    def _begin(
        self,
        exchange: Exchange,
        serving: Sequence[Replica],
        body: bytes,
        sink: Sink,
        new_recovery: NewRecovery | None,
    ) -> _Course:
        """Find out who may be asked.

        Raises:
            ReplicaFailed: the request has ended two replicas already.
            ReplicasUnusable: none of them is healthy.
            RouteUnsupported: none of them offers the route.
        """
        if self._ways.quarantine.is_banned(body):
            raise ReplicaFailed("The model servers that were asked this have stopped working. Change it, or try later.")
        usable = candidates(serving, self._ways.panic_percent)
        if exchange.trail.explanation is not None:
            see(exchange.trail.explanation, serving, exchange, self._policy_of(serving[0].route).name)
        if not usable:
            raise ReplicasUnusable("No model server for this model is healthy. Try again in a moment.", retry_after_s=5)
        question = first_question(exchange, body)
        fit = [replica for replica in usable if question.path not in replica.lacks]
        if not fit:
            raise RouteUnsupported(f"No model server offers {question.path} for this model.")
        route = serving[0].route
        return _Course(
            exchange,
            sink,
            question,
            self._ways.timeouts.of(route),
            self._policy_of(route),
            serving,
            fit,
            new_recovery,
            attempts_before=exchange.attempts,
        )

    def _take(self, course: _Course) -> Replica | None:
        """Take a place on one of the untried replicas; None where something may have to be waited for."""
        if self._tries.has_rooms:
            return None
        now = self._clock.now()
        ready = [each for each in course.untried if each.patience_until <= now and each.is_awake]
        if not ready:
            return None
        replica = self._tries.take(course.exchange, course.choose(ready))
        course.begin(replica)
        return replica

    async def _place(self, course: _Course) -> Replica | None:
        """Take a place on one of the untried replicas; None when there is none that has the patience of a request.

        Where all of them have asked for patience, the first is waited for.
        """
        untried = course.untried
        willing = askable(untried, self._clock.now())
        if not willing:
            wait_s = wait_for_any(untried, self._clock.now())
            if not untried or wait_s > self._ways.retry.most_wait_s:
                return None
            with course.exchange.trail.waiting():
                await _pause(course.sink, wait_s * self._chance.uniform(1.0, 1.25))  # not all at the same moment
            untried[:] = [replica for replica in untried if replica.is_usable]
            if not untried:
                return None
            willing = askable(untried, self._clock.now()) or untried
        replica = await self._tries.place(course.exchange, awake_first(willing), course.choose, course.sink)
        course.begin(replica)
        return replica

    def _ask(self, course: _Course, replica: Replica) -> Awaitable[None]:
        """Have a replica answer; when hedging is on and its first token is late, have another one answer as well."""
        hedging, asked = self._ways.hedging, course.exchange.asked
        if hedging is None or asked is None or not asked.stream or not course.untried:
            return self._ask_one(course, replica, course.exchange, course.sink)
        first = partial(self._ask_one, course, replica)
        return hedging.race(course.exchange, course.sink, replica.route, first, partial(self._second, course))

    def _second(self, course: _Course) -> Callable[[Exchange, Sink], Awaitable[None]] | None:
        """Return what asks one more replica, if there is one that has nothing to wait for."""
        free = [each for each in askable(course.untried, self._clock.now()) if each.has_room and each.is_awake]
        if not free:
            return None
        replica = course.choose(free)
        course.begin(replica)

        async def ask(exchange: Exchange, sink: Sink) -> None:
            await self._tries.place(exchange, [replica], course.choose, sink)
            await self._ask_one(course, replica, exchange, sink)

        return ask

    async def _ask_one(self, course: _Course, replica: Replica, exchange: Exchange, sink: Sink) -> None:
        """Have the replica answer on which a place was taken."""
        errand = Errand(exchange, sink, course.timeouts, partial(_new_stream, course, replica))
        if replica.is_sleeping or replica.is_yielding:
            await self._wake(exchange, replica, sink)
        try:
            await self._tries.ask(errand, replica, course.question)
        except AttemptFailed as failed:
            await self._learn(course, replica, failed)
            raise

    async def _wake(self, exchange: Exchange, replica: Replica, sink: Sink) -> None:
        """Wake the replica on which a place was taken; the place is given back where that fails."""
        try:
            with exchange.trail.waiting():
                await self._ways.waking.wake_audibly(exchange, replica, sink)
        except (ReplicaFailed, ReplicaSilent) as error:
            self._tries.leave(exchange, replica)
            exchange.attempts += 1
            exchange.replica = replica.name
            raise AttemptFailed(Verdict(error, is_retryable=True)) from error
        except BaseException:
            self._tries.leave(exchange, replica)
            raise

    async def _learn(self, course: _Course, replica: Replica, failed: AttemptFailed) -> None:
        """Take from a failure what it says of the replica, for this exchange and for others."""
        verdict = failed.verdict
        if verdict.is_overload and course.exchange.caller.upstream_key:
            return  # it may be the limit of the caller's own key, which is nothing to others
        if verdict.is_overload and (verdict.retry_after_s is not None or len(course.serving) > 1):
            until = self._clock.now() + patience(verdict.retry_after_s, self._chance)
            replica.patience_until = max(replica.patience_until, until)
            if verdict.retry_after_s is not None:
                course.untried.append(replica)  # it said when it may be asked again
        elif failed.is_broken and failed.lasted_s < DEADLY_S and await is_dead(replica):  # maybe of what it was asked
            course.lost.append(replica)
            self._ways.quarantine.suspect(course.question.body, replica.name, course.exchange.id)

    async def _may_go_on(self, course: _Course, verdict: Verdict) -> bool:
        """Say whether another replica may be asked, and wait a moment before.

        One that only lacks the route has cost nothing.
        """
        exchange = course.exchange
        if verdict.lacks_route:
            exchange.attempts -= 1
            return True
        retry, attempts = self._ways.retry, exchange.attempts - course.attempts_before
        if not course.untried:  # those that were out may have to do by now
            known = candidates(course.serving, self._ways.panic_percent)
            course.untried += [replica for replica in known if replica not in course.tried]
        if not course.untried or not verdict.is_retryable or attempts >= retry.attempts:
            return False
        if len(course.lost) >= DEADLY or not self._ways.budget.spend():
            return False
        await _pause(course.sink, wait_before(attempts, retry, self._chance))
        return True

    def _conclude(self, course: _Course) -> None:
        """Pass on the replica's own words where they are fit for the caller; raise the error otherwise."""
        exchange, sink, failed = course.exchange, course.sink, course.failed
        if failed is None:
            wait_s = max(1.0, wait_for_any(course.untried, self._clock.now()))
            raise ReplicaOverloaded("The model server has too much to do. Try again in a moment.", retry_after_s=wait_s)
        error = failed.verdict.error
        if not failed.verdict.passes or sink.is_started or self._ways.hands_back(exchange.model, error):
            raise error from failed
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(failed.body))]
        start(exchange, sink, failed.status, headers + wait_headers(error))
        sink.write(failed.body)
        sink.end()

    async def _go_on(self, course: _Course, failed: AttemptFailed) -> None:
        """Have the rest of a stream passed on by another replica."""
        if failed.stream is None or failed.stream.kin is None:
            self._tries.tally.resumes["unable", failed.verdict.error.code] += 1
            raise failed.verdict.error from failed
        broken = Broken(course.exchange, course.sink, course.timeouts, failed.stream, course.question, course.lost)
        others = [each for each in course.serving if each.name != course.exchange.replica]
        try:
            await self._ways.resuming.go_on(broken, failed, others, course.choose)
        except AttemptFailed as last:
            for lost in course.lost:
                self._ways.quarantine.suspect(course.question.body, lost.name, course.exchange.id)
            raise last.verdict.error from last


async def _pause(sink: Sink, seconds: float) -> None:
    """Wait, and keep writing meanwhile."""
    loop = asyncio.get_running_loop()
    over: asyncio.Future[None] = loop.create_future()
    timer = loop.call_later(seconds, _end, over)
    try:
        await sink.until(asyncio.shield(over))  # the timer ends it, also while the caller leaves
    finally:
        timer.cancel()


def _end(pause: "asyncio.Future[None]") -> None:
    if not pause.done():
        pause.set_result(None)


def _learn_fingerprint(course: _Course) -> None:
    """Remember what the replica that answered said of its version and configuration."""
    exchange = course.exchange
    if exchange.watch is None or exchange.watch.fingerprint is None or exchange.model is None:
        return
    for replica in course.serving:
        if replica.name == exchange.replica:
            replica.fingerprints[exchange.model] = exchange.watch.fingerprint


def _new_stream(course: _Course, replica: Replica) -> Stream:
    """Return a stream of which nothing has come yet."""
    asked = course.exchange.asked
    if asked is None:
        raise RuntimeError("nothing was asked yet")
    if course.new_recovery is None:
        return Stream(asked.new_watch())
    return Stream(asked.new_watch(), course.new_recovery(), kin_of(replica, course.exchange.model or ""))
