"""How wishes go to Redis together, and what becomes of those that nobody waits for."""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable

import pytest

from tests.admission.limits.wishes import per_minute, slots, tokens
from tests.waiting import until
from vllm_gateway.admission.limits.limiter import LimiterAway
from vllm_gateway.admission.limits.redis_rounds import MOST_AT_ONCE, Rounds, Wish, message
from vllm_gateway.tasks import Tasks

PATIENT_S = 30.0
METERS = [per_minute(5)]


class Played:
    """Stands where Redis is: notes each round, and answers each wish with its own number when it is let."""

    def __init__(self) -> None:
        self.rounds: list[list[str]] = []
        """The requests of each round."""
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.fault: Exception | None = None

    async def __call__(self, keys: list[str], arguments: list[str]) -> bytes:
        """Answer when that is let."""
        names = [key.rpartition(":")[2] for key in keys if ":open:" in key]
        assert len(arguments) == 1
        self.rounds.append(names)
        await self.go_on.wait()
        if self.fault is not None:
            raise self.fault
        return "\n".join("! wrong" if name == "bad" else f"0 {name}" for name in names).encode()


def made(script: Callable[[list[str], list[str]], Awaitable[bytes]], *, limit_s: float = PATIENT_S) -> Rounds:
    """Return rounds that are played by `script`."""
    return Rounds(script, limit_s=limit_s, lease_us=1, tasks=Tasks("a test"))


async def test_what_is_wished_together_goes_together() -> None:
    """And everyone gets the own answer."""
    played = Played()
    rounds = made(played)
    answers = [rounds.ask("r", str(number), METERS) for number in range(10)]
    assert await asyncio.gather(*answers) == [f"0 {number}" for number in range(10)]
    assert len(played.rounds) == 1


async def test_one_round_follows_the_other() -> None:
    """What is wished meanwhile waits for the next one, in its order; no round is too large."""
    played = Played()
    played.go_on.clear()
    rounds = made(played)
    first = rounds.ask("r", "first", METERS)
    await until(lambda: len(played.rounds) == 1)
    others = [rounds.ask("r", str(number), METERS) for number in range(MOST_AT_ONCE + 1)]
    await asyncio.sleep(0)
    assert played.rounds == [["first"]]
    played.go_on.set()
    await asyncio.gather(first, *others)
    assert played.rounds[1:] == [[str(number) for number in range(MOST_AT_ONCE)], [str(MOST_AT_ONCE)]]


async def test_a_round_that_fails_fails_for_all_in_it() -> None:
    """The next one is another one."""
    played = Played()
    rounds = made(played)
    played.fault = ConnectionResetError("gone")
    answers = await asyncio.gather(*[rounds.ask("r", name, METERS) for name in "ab"], return_exceptions=True)
    assert [type(answer) for answer in answers] == [LimiterAway, LimiterAway]
    played.fault = None
    assert await rounds.ask("r", "c", METERS) == "0 c"


async def test_a_round_that_breaks_off_leaves_nobody_waiting() -> None:
    """Be it by a fault that nobody foresaw: those in it are told at once, and the next wish begins another round."""
    played = Played()
    rounds = made(played)
    played.fault = RuntimeError("nobody foresaw this")
    with pytest.raises(LimiterAway, match="broke off"):
        await asyncio.wait_for(rounds.ask("r", "a", METERS), PATIENT_S)
    played.fault = None
    assert await rounds.ask("r", "b", METERS) == "0 b"


async def test_a_wish_that_fails_fails_alone() -> None:
    """The others of its round are granted."""
    rounds = made(Played())
    good, bad = rounds.ask("r", "good", METERS), rounds.ask("r", "bad", METERS)
    assert await good == "0 good"
    with pytest.raises(LimiterAway, match="wrong"):
        await bad


async def test_an_answer_that_comes_too_late_is_seen_to() -> None:
    """Nobody waits for longer than the limit; the round goes on, and its answer is not lost."""
    played, late = Played(), list[str]()
    played.go_on.clear()
    rounds = made(played, limit_s=0.02)
    with pytest.raises(LimiterAway, match="in time"):
        await rounds.ask("r", "slow", METERS, late.append)
    played.go_on.set()
    await until(lambda: late == ["0 slow"])


async def test_what_nobody_waits_for_any_more_is_not_wished() -> None:
    """Unless it gives something back: that is done all the same."""
    played, late = Played(), list[str]()
    played.go_on.clear()
    rounds = made(played)
    first = rounds.ask("r", "first", METERS)
    await until(lambda: len(played.rounds) == 1)
    reserving = rounds.ask("r", "reserving", METERS, late.append)
    settling = rounds.ask("s", "settling", METERS)
    reserving.cancel()
    settling.cancel()
    played.go_on.set()
    await first
    await until(lambda: len(played.rounds) > 1)
    assert played.rounds == [["first"], ["settling"]]
    assert late == []


async def test_a_loop_that_was_held_up_is_no_late_answer() -> None:
    """What has come meanwhile is read before anybody loses patience."""
    here, there = socket.socketpair()
    here.settimeout(0)
    has_begun = asyncio.Event()

    async def script(_keys: list[str], _arguments: list[str]) -> bytes:
        has_begun.set()
        return await asyncio.get_running_loop().sock_recv(here, 100)

    with here, there:
        rounds = made(script, limit_s=0.1)
        answer = rounds.ask("r", "a", METERS)
        await has_begun.wait()
        there.sendall(b"0 a")
        time.sleep(0.2)  # noqa: ASYNC251 - that is what holds it up
        assert await answer == "0 a"


def test_a_meter_of_several_is_told_once() -> None:
    """Wishes name meters by their place; every key that is used is told as one."""
    loop = asyncio.new_event_loop()
    shared, own, other = slots(3, "all"), tokens(100), tokens(200, "key:b")
    meters = [[own, shared], [other, shared]]
    wishes = [
        Wish(f"r\n{name}\n5\n1", name, chosen, loop.create_future(), 0.0, None)
        for name, chosen in (("x", meters[0]), ("y", meters[1]), ("z", meters[0]))
    ]
    loop.close()
    keys, text = message(wishes, lease_us=9)
    prefix = "{vllm-gateway:1:limits}:"
    assert [key.removeprefix(prefix) for key in keys] == [
        *("leased", "held", "tokens:60:key:a", "concurrent:0:all", "tokens:60:key:b", "open:x", "open:y", "open:z")
    ]
    table = ["t", "100", "60000000", "s", "3", "0", "t", "200", "60000000"]
    asked = ["r", "x", "5", "1", "2", "1", "2", "r", "y", "5", "1", "2", "3", "2", "r", "z", "5", "1", "2", "1", "2"]
    assert text.split("\n") == ["9", "86400", "3", *table, *asked]
