"""Keys that replicas check."""

import asyncio
from dataclasses import dataclass, field

import pytest

from vllm_gateway.admission.keys.record import caller_id
from vllm_gateway.admission.keys.secret import digest
from vllm_gateway.admission.keys.sent import MAX_KEY_BYTES
from vllm_gateway.admission.keys.throttle import WRONG_KEYS, Throttle
from vllm_gateway.admission.keys.upstream import HOLDS_S, MAX_KEYS, UpstreamKeys
from vllm_gateway.callers import Caller
from vllm_gateway.clock import HandClock
from vllm_gateway.errors import KeyRefused, KeysThrottled, KeysUnchecked
from vllm_gateway.exchange import Headers

RIGHT, OTHER = b"sk-right-0123456", b"sk-other-0123456"
HERE, THERE = "192.0.2.1", "192.0.2.2"


@dataclass(slots=True)
class Replica:
    """Answers about keys, at once or when it is let."""

    right: set[bytes] = field(default_factory=lambda: {RIGHT, OTHER})
    is_there: bool = True
    asked: list[bytes] = field(default_factory=list)
    let: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.let.set()

    async def check(self, key: bytes) -> bool | None:
        """Say whether the key is right; None where there is nobody."""
        self.asked.append(key)
        await self.let.wait()
        return key in self.right if self.is_there else None


@dataclass(slots=True)
class Door:
    """Keys, and what they stand on."""

    replica: Replica
    clock: HandClock
    keys: UpstreamKeys

    async def knock(self, key: bytes, address: str = HERE) -> str:
        """Say how a key was received."""
        try:
            caller = await self.keys.admit(_with(key), address)
        except (KeyRefused, KeysThrottled, KeysUnchecked) as refused:
            return type(refused).__name__
        assert caller == Caller(caller_id(digest(key)), upstream_key=key)
        return "in"


def _with(key: bytes) -> Headers:
    return [(b"authorization", b"Bearer " + key)]


def _door(max_keys: int = MAX_KEYS) -> Door:
    replica, clock = Replica(), HandClock()
    return Door(replica, clock, UpstreamKeys(replica.check, Throttle(clock), clock, max_keys=max_keys))


async def test_a_right_key_comes_in_and_is_sent_on() -> None:
    """The caller has an id that says nothing of its key, and the key itself for the replica."""
    door = _door()
    assert await door.knock(RIGHT) == "in"
    assert RIGHT.decode() not in repr(await door.keys.admit(_with(RIGHT), HERE))
    assert await door.knock(b"sk-wrong-0123456") == "KeyRefused"


async def test_who_sends_no_key_is_told_how() -> None:
    """Nobody is asked about nothing."""
    door = _door()
    with pytest.raises(KeyRefused, match="Authorization: Bearer KEY"):
        await door.keys.admit([], HERE)
    assert door.replica.asked == []


async def test_an_answer_holds_for_five_seconds() -> None:
    """A right and a wrong one alike; then the replica is asked anew, and what it says now counts."""
    door = _door()
    for _ in range(3):
        assert [await door.knock(RIGHT), await door.knock(b"sk-wrong-0123456")] == ["in", "KeyRefused"]
    assert len(door.replica.asked) == 2
    door.replica.right = {b"sk-wrong-0123456"}
    door.clock.move(HOLDS_S - 0.1)
    assert door.keys.is_known(RIGHT)
    assert await door.knock(RIGHT) == "in"
    door.clock.move(0.1)
    assert not door.keys.is_known(RIGHT)
    assert [await door.knock(RIGHT), await door.knock(b"sk-wrong-0123456")] == ["KeyRefused", "in"]
    assert len(door.replica.asked) == 4


async def test_without_an_answer_nobody_comes_in_and_nothing_is_remembered() -> None:
    """A key that cannot be checked gets a 503, is not counted as wrong, and is asked about again."""
    door = _door()
    door.replica.is_there = False
    for _ in range(WRONG_KEYS + 5):
        assert await door.knock(RIGHT) == "KeysUnchecked"
    door.replica.is_there = True
    assert await door.knock(RIGHT) == "in"
    door.replica.is_there = False
    with pytest.raises(KeysUnchecked) as caught:
        await door.keys.admit(_with(OTHER), HERE)
    assert caught.value.retry_after_s is not None


async def test_many_callers_with_one_key_ask_once() -> None:
    """A hundred at once, more than an address may send wrong ones: one question, and all come in."""
    door = _door()
    door.replica.let.clear()
    callers = [asyncio.ensure_future(door.knock(RIGHT)) for _ in range(100)]  # noqa: TID251 - the test's own
    await asyncio.sleep(0)
    door.replica.let.set()
    assert await asyncio.gather(*callers) == ["in"] * 100
    assert door.replica.asked == [RIGHT]


async def test_a_caller_who_leaves_takes_nobodys_answer_away() -> None:
    """Who asked first may go; the others, and the next, have the answer."""
    door = _door()
    door.replica.let.clear()
    first, second = (asyncio.ensure_future(door.knock(RIGHT)) for _ in range(2))  # noqa: TID251 - the test's own
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    door.replica.let.set()
    assert await second == "in"
    assert first.cancelled()
    assert await door.knock(RIGHT) == "in"
    assert door.replica.asked == [RIGHT]


async def test_wrong_keys_at_once_are_no_way_past_the_throttle() -> None:
    """S-10: of a thousand different keys at the same time twenty are asked about."""
    door = _door()
    door.replica.let.clear()
    guesses = [asyncio.ensure_future(door.knock(b"sk-guess-%08d" % number)) for number in range(1000)]  # noqa: TID251 - the test's own
    await asyncio.sleep(0)
    door.replica.let.set()
    told = await asyncio.gather(*guesses)
    assert sorted(told) == ["KeyRefused"] * WRONG_KEYS + ["KeysThrottled"] * 980
    assert len(door.replica.asked) == WRONG_KEYS


async def test_a_known_right_key_passes_from_a_throttled_address() -> None:
    """Guesses of a neighbour do not shut out who was in before, also when its answer has to be renewed."""
    door = _door()
    assert await door.knock(RIGHT) == "in"
    for number in range(WRONG_KEYS + 1):
        await door.knock(b"sk-guess-%08d" % number)
    assert await door.knock(RIGHT) == "in"
    door.clock.move(HOLDS_S)
    for number in range(WRONG_KEYS + 1):
        await door.knock(b"sk-guess-%08d" % number)
    assert await door.knock(RIGHT) == "in"
    assert await door.knock(OTHER) == "KeysThrottled"
    assert await door.knock(OTHER, THERE) == "in"


async def test_one_wrong_key_again_and_again_is_throttled_without_a_question() -> None:
    """A known wrong key counts each time, whoever asked about it."""
    door = _door()
    told = [await door.knock(b"sk-wrong-0123456") for _ in range(WRONG_KEYS + 2)]
    assert told == ["KeyRefused"] * WRONG_KEYS + ["KeysThrottled"] * 2
    assert len(door.replica.asked) == 1


async def test_callers_who_wait_for_one_wrong_key_are_counted_each() -> None:
    """S-10: asking together is no way past the throttle."""
    door = _door()
    door.replica.let.clear()
    guesses = [asyncio.ensure_future(door.knock(b"sk-wrong-0123456")) for _ in range(50)]  # noqa: TID251 - the test's own
    await asyncio.sleep(0)
    door.replica.let.set()
    assert sorted(await asyncio.gather(*guesses)) == ["KeyRefused"] * WRONG_KEYS + ["KeysThrottled"] * 30


@pytest.mark.parametrize(
    "key",
    [b"a b", b"\xff\xfe", "ключ".encode(), b"a\x00b", b"a\r\nb", b"x" * (MAX_KEY_BYTES + 1)],
    ids=lambda key: str(key[:9]),
)
async def test_a_key_that_no_header_should_carry_reaches_no_replica(key: bytes) -> None:
    """S-05: only visible ASCII is sent on; the rest is wrong, and counts as that."""
    door = _door()
    assert await door.knock(key) == "KeyRefused"
    with pytest.raises(KeyRefused):
        await door.keys.admit_key(key, HERE)
    assert door.replica.asked == []


async def test_any_right_key_among_several_headers_admits() -> None:
    """A placeholder in one header does not spoil the right key in another."""
    door = _door()
    headers = [(b"authorization", b"Bearer EMPTY"), (b"x-api-key", RIGHT)]
    assert (await door.keys.admit(headers, HERE)).upstream_key == RIGHT
    assert (await door.keys.admit(headers, HERE)).upstream_key == RIGHT
    assert door.replica.asked == [b"EMPTY", RIGHT]


async def test_no_more_keys_are_remembered_than_there_is_room_for() -> None:
    """The answer that was given first is forgotten first."""
    door = _door(max_keys=2)
    for key in (RIGHT, b"wrong", OTHER):
        await door.knock(key)
    assert not door.keys.is_known(RIGHT)
    assert door.keys.is_known(OTHER)
    assert len(door.keys._verdicts) == 2


async def test_closing_gives_up_what_is_being_asked() -> None:
    """Nothing is left running."""
    door = _door()
    door.replica.let.clear()
    waiting = asyncio.ensure_future(door.knock(RIGHT))  # noqa: TID251 - the test's own
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await door.keys.close()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    assert not door.keys._asking
