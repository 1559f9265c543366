"""Replicas are asked about a caller's key."""

import pytest

from tests.scripted import Play, Visit, scripted
from vllm_gateway import sim
from vllm_gateway.clock import SystemClock
from vllm_gateway.settings.model import Upstream
from vllm_gateway.upstream.health import Sign
from vllm_gateway.upstream.key_check import MOST_ASKED, KeyCheck
from vllm_gateway.upstream.pool import Pool

RIGHT, WRONG = b"sk-right-0123456789", b"sk-wrong-0123456789"


def saying(status: str) -> Play:
    """Return a replica that answers every question so."""

    async def play(visit: Visit) -> None:
        while True:
            await visit.request()
            await visit.say_json(b"{}", status)

    return play


async def silent(visit: Visit) -> None:
    """Say nothing."""
    await visit.until_closed()


def usable_pool(*urls: str) -> Pool:
    """Return replicas, all of them in; those listed later are busier."""
    pool = Pool([Upstream(url=url) for url in urls], clock=SystemClock(), connect_s=1)
    for number, replica in enumerate(pool.replicas):
        replica.see(Sign.PROBE_ANSWERED)
        replica.outstanding = number
    return pool


async def test_the_replica_tells_right_keys_from_wrong_ones() -> None:
    """An engine with a key of its own says yes to that one only."""
    engine = await sim.start(sim.SimSettings(port=0, api_key=RIGHT.decode()))
    try:
        pool = usable_pool(engine.url)
        assert await KeyCheck(pool).check(RIGHT) is True
        assert await KeyCheck(pool).check(WRONG) is False
        assert pool.replicas[0].health.failures == 0
        pool.close()
    finally:
        await engine.close()


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("200 OK", True),
        ("401 Unauthorized", False),
        ("403 Forbidden", False),
        ("500 Oops", None),
        ("429 Later", None),
        ("302 Found", None),
    ],
)
async def test_only_yes_and_no_are_answers(status: str, *, said: bool | None) -> None:
    """Whatever else a replica says tells nothing of the key."""
    async with scripted(saying(status)) as one:
        assert await KeyCheck(usable_pool(one.url)).check(RIGHT) is said


@pytest.mark.parametrize("key", [b"", b"a b", b"a\r\nHost: other", b"\xff"])
async def test_what_no_header_can_hold_is_wrong_unasked(key: bytes) -> None:
    """No replica hears of it."""
    async with scripted(saying("200 OK")) as one:
        assert await KeyCheck(usable_pool(one.url)).check(key) is False
        assert one.visits == []


async def test_the_first_that_can_say_is_believed() -> None:
    """One that fails is passed over; one that is out is not asked."""
    async with (
        scripted(saying("500 Oops")) as broken,
        scripted(saying("200 OK")) as out,
        scripted(saying("401 Unauthorized")) as well,
    ):
        pool = usable_pool(broken.url, out.url, well.url)
        pool.replicas[1].see(Sign.UNREACHABLE)
        assert await KeyCheck(pool).check(WRONG) is False
        assert (len(broken.visits), len(out.visits), len(well.visits)) == (1, 0, 1)


async def test_when_nobody_can_say_nobody_says() -> None:
    """Neither yes nor no: silent replicas, and none at all."""
    async with scripted(silent) as one:
        assert await KeyCheck(usable_pool(one.url), timeout_s=0.05).check(RIGHT) is None
    assert await KeyCheck(usable_pool()).check(RIGHT) is None


async def test_one_key_is_no_reason_to_ask_the_whole_fleet() -> None:
    """A few replicas are asked, not all."""
    async with scripted(saying("500 Oops")) as one:
        pool = usable_pool(*(f"{one.url.removesuffix('/v1')}/{number}/v1" for number in range(MOST_ASKED + 2)))
        assert await KeyCheck(pool).check(RIGHT) is None
        assert len(one.visits) == MOST_ASKED
