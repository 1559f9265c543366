"""What requests wish of limits in Redis goes there in rounds: all that was wished since the last one, in one script.

A round costs hardly more than one wish alone, and the next one leaves when this one has been answered: the more there
is to do, the more goes together. Wishes are granted in their order, so that what one request gives back is there for
the next.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from vllm_gateway.admission.limits.limiter import LimiterAway
from vllm_gateway.admission.limits.meters import Meter
from vllm_gateway.admission.limits.redis_scripts import HELD, LEASED, meter_key, open_key, told
from vllm_gateway.state.redis import FAULTS
from vllm_gateway.tasks import Tasks

MOST_AT_ONCE = 256
"""Wishes in one round; while Redis runs a script it does nothing else."""
OPEN_FOR_S = 86_400
"""How long a request may stay open."""
_PATIENT = 0.8
"""After so much of the time for an answer the rest of it begins, however late that is noticed."""

Script = Callable[[list[str], list[str]], Awaitable[bytes]]
"""Runs the script with these keys and arguments."""


@dataclass(eq=False, slots=True)
class Wish:
    """What one request wishes of its meters, and the answer to it."""

    text: str
    name: str
    meters: Sequence[Meter]
    answer: "asyncio.Future[str]"
    asked_at: float
    when_late: Callable[[str], None] | None
    """What is to be done with an answer that nobody waits for any more. Without it the wish is granted anyway."""

    @property
    def is_idle(self) -> bool:
        """Say that nobody waits for it, and that it need not be granted either."""
        return self.when_late is not None and self.answer.done()

    def tell(self, reply: str) -> None:
        """Take what Redis says."""
        if reply.startswith("!"):
            self.fail(reply[2:])
        elif not self.answer.done():
            self.answer.set_result(reply)
        elif self.when_late is not None:
            self.when_late(reply)

    def fail(self, why: str, cause: Exception | None = None) -> None:
        """Say that there is no answer."""
        if not self.answer.done():
            away = LimiterAway(why)
            away.__cause__ = cause
            self.answer.set_exception(away)


class Rounds:
    """Takes wishes to Redis, one round after the other. A round is never broken off, whoever leaves meanwhile."""

    def __init__(self, script: Script, *, limit_s: float, lease_us: int, tasks: Tasks) -> None:
        self._script = script
        self._limit_s = limit_s
        self._lease_us = lease_us
        self._tasks = tasks
        self._waiting: list[Wish] = []
        self._is_running = False
        self._under_way: Sequence[Wish] = ()
        self._is_watched = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def ask(
        self, text: str, name: str, meters: Sequence[Meter], when_late: Callable[[str], None] | None = None
    ) -> "asyncio.Future[str]":
        """Return the answer to a wish of the request `name`, as a future that fails with `LimiterAway`."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        loop = self._loop
        wish = Wish(text, name, meters, loop.create_future(), loop.time(), when_late)
        self._waiting.append(wish)
        if not self._is_running:
            self._is_running = True
            self._tasks.start(self._run(), name="rounds")
        if not self._is_watched:
            self._is_watched = True
            loop.call_later(_PATIENT * self._limit_s, self._look, loop)
        return wish.answer

    async def _run(self) -> None:
        try:
            while self._waiting:
                wishes = [wish for wish in self._waiting[:MOST_AT_ONCE] if not wish.is_idle]
                del self._waiting[:MOST_AT_ONCE]
                if wishes:
                    self._under_way = wishes
                    await self._play(wishes)
        finally:
            self._is_running = False
            for wish in self._under_way:  # after a fault that nobody foresaw nobody else would answer
                wish.fail("the round broke off")
            self._under_way = ()

    async def _play(self, wishes: Sequence[Wish]) -> None:
        keys, text = message(wishes, lease_us=self._lease_us)
        try:
            answer = await self._script(keys, [text])
        except FAULTS as fault:
            for wish in wishes:
                wish.fail(type(fault).__name__, fault)
            return
        for wish, reply in zip(wishes, answer.decode().split("\n"), strict=True):
            wish.tell(reply)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look whose time is nearly over; one timer does for all.

        A loop that was held up itself is no late answer: what has arrived meanwhile is read before that is said.
        """
        unanswered = [wish for wish in (*self._under_way, *self._waiting) if not wish.answer.done()]
        late_from = loop.time() - _PATIENT * self._limit_s
        late = [wish for wish in unanswered if wish.asked_at <= late_from]
        if late:
            loop.call_later((1 - _PATIENT) * self._limit_s, _give_up, late)
        self._is_watched = len(late) < len(unanswered)
        if self._is_watched:
            loop.call_later(unanswered[len(late)].asked_at - late_from, self._look, loop)


def _give_up(late: Sequence[Wish]) -> None:
    for wish in late:
        wish.fail("no answer in time")


def message(wishes: Sequence[Wish], *, lease_us: int) -> tuple[list[str], str]:
    """Return the keys and the argument of the script that grants these wishes; a meter of several is told once."""
    keys, table = [LEASED, HELD], list[str]()
    places, groups, texts = dict[int, str](), dict[int, str](), list[str]()
    for wish in wishes:
        group = groups.get(id(wish.meters))
        if group is None:
            for meter in wish.meters:
                if id(meter) not in places:
                    places[id(meter)] = str(len(places) + 1)
                    keys.append(meter_key(meter))
                    table += map(str, told(meter))
            chosen = [places[id(meter)] for meter in wish.meters]
            group = groups[id(wish.meters)] = "\n".join([str(len(chosen)), *chosen])
        texts += (wish.text, group)
    keys += [open_key(wish.name) for wish in wishes]
    return keys, "\n".join([str(lease_us), str(OPEN_FOR_S), str(len(places)), *table, *texts])
