"""What the gateway learns by looking."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.scripted import Play, Scripted, Visit, scripted
from tests.waiting import PATIENCE_S, until
from vllm_gateway.clock import SystemClock
from vllm_gateway.settings.fleet import Probe
from vllm_gateway.settings.model import Upstream
from vllm_gateway.tasks import Tasks
from vllm_gateway.upstream.asking import MAX_ANSWER_BYTES
from vllm_gateway.upstream.health import Sign, State
from vllm_gateway.upstream.pool import Pool
from vllm_gateway.upstream.probe import MAX_PAGE_BYTES, Prober
from vllm_gateway.upstream.replica import Replica

MODELS = b'{"object":"list","data":[{"id":"m","max_model_len":8},{"no":"id"},"junk"]}'


def telling(models: bytes = MODELS, *, health: str = "200 OK", status: str = "200 OK") -> Play:
    """Return a replica that answers its probes like this."""

    async def play(visit: Visit) -> None:
        while True:
            request = await visit.request()
            if request.startswith(b"GET /health"):
                await visit.say_json(b"", health)
            else:
                await visit.say_json(models, status)

    return play


@asynccontextmanager
async def looking(play: Play, **settings: float) -> AsyncIterator[tuple[Scripted, Replica, Prober]]:
    """Run a prober over one scripted replica."""
    async with scripted(play) as server:
        pool = Pool([Upstream(url=server.url)], clock=SystemClock(), connect_s=1)
        prober = Prober(pool, Probe.model_validate(settings), clock=SystemClock())
        await prober.open()
        try:
            yield server, pool.replicas[0], prober
        finally:
            await prober.close()
            pool.close()


async def test_a_well_replica_is_in_with_its_models() -> None:
    """Rows without an id are passed over; the others are kept as they are."""
    async with looking(telling()) as (server, replica, _):
        assert replica.is_usable
        assert replica.models == {"m": {"id": "m", "max_model_len": 8}}
        assert replica.latency_s is not None
        assert replica.latency_s >= 0
        assert len(server.visits) == 1


async def test_a_server_without_a_health_route_may_be_well() -> None:
    """Its list of models says enough."""
    async with looking(telling(health="404 Not Found")) as (_, replica, _):
        assert replica.is_usable


@pytest.mark.parametrize(
    "play",
    [
        telling(health="503 Service Unavailable"),
        telling(status="500 Internal Server Error"),
        telling(b"<html>"),
        telling(b"[]"),
        telling(b'{"data": 5}'),
        telling(b'{"data": "' + b"x" * MAX_ANSWER_BYTES + b'"}'),
    ],
    ids=["not well", "error", "html", "list", "no rows", "too large"],
)
async def test_a_replica_that_is_not_well_stays_out(play: Play) -> None:
    """It is known, and not used."""
    async with looking(play) as (_, replica, _):
        assert replica.is_known
        assert not replica.is_usable


async def test_a_silent_replica_costs_no_more_than_its_time() -> None:
    """The look ends in time."""

    async def mute(visit: Visit) -> None:
        await visit.until_closed()

    async with asyncio.timeout(PATIENCE_S), looking(mute, timeout_s=0.1) as (server, replica, _):
        assert not replica.is_usable
        await until(lambda: server.visits[0].closed_at is not None)


async def test_a_replica_that_comes_back_is_in_again() -> None:
    """The background look finds it without being asked."""
    is_well = False

    async def play(visit: Visit) -> None:
        while True:
            request = await visit.request()
            health = "200 OK" if is_well else "503 Service Unavailable"
            if request.startswith(b"GET /health"):
                await visit.say_json(b"", health)
            else:
                await visit.say_json(MODELS)

    async with looking(play, every_s=0.05) as (_, replica, _):
        assert not replica.is_usable
        is_well = True
        await until(lambda: replica.is_usable)


class Engine:
    """A replica of which more is told than that it is well."""

    def __init__(self) -> None:
        self.running, self.waiting, self.tokens = 0, 0, 0
        self.is_mute = False
        self.padding = 0
        self.asked: Counter[bytes] = Counter()

    async def __call__(self, visit: Visit) -> None:
        """Answer its probes, as long as they are listened to."""
        while True:
            path = (await visit.request()).split()[1]
            self.asked[path] += 1
            match path:
                case b"/v1/models":
                    await visit.say_json(MODELS)
                case b"/metrics" if self.is_mute:
                    await visit.until_closed()
                case b"/metrics":
                    await visit.say_json(self.page())
                case b"/version":
                    await visit.say_json(b'{"version":"0.33.0"}')
                case _:
                    await visit.say_json(b"")

    def page(self) -> bytes:
        """Return its metrics."""
        series = {
            "num_requests_running": self.running,
            "num_requests_waiting": self.waiting,
            "generation_tokens_total": self.tokens,
        }
        return (
            "".join(f'vllm:{name}{{engine="0"}} {value}\n' for name, value in series.items()).encode()
            + b"#" * self.padding
        )


async def test_a_replica_that_makes_no_tokens_is_out_although_it_says_that_it_is_well() -> None:
    """It is out until it moves; then a request may try it."""
    engine = Engine()
    engine.running = 1
    async with looking(engine, every_s=0.05, stalled_s=0.2, eject_s=0.01) as (_, replica, _):
        assert replica.is_usable
        await until(lambda: not replica.is_usable)
        assert replica.health.cause is Sign.STALLED
        await asyncio.sleep(0.1)
        assert not replica.is_usable
        engine.tokens += 1
        await until(lambda: replica.is_usable)
        assert replica.health.state is State.HALF_OPEN
        assert replica.asked()
        engine.tokens += 1
        await until(lambda: replica.health.state is State.CLOSED)


async def test_a_standstill_is_settled_before_the_next_usual_look() -> None:
    """What is suspected is not left for a whole pause longer than it must be."""
    engine = Engine()
    engine.running = 1
    async with looking(engine, every_s=1.2, stalled_s=1.3) as (_, replica, _):
        began = time.perf_counter()
        await until(lambda: not replica.is_usable)
        assert time.perf_counter() - began < 2 * 1.2


async def test_standing_still_may_be_allowed() -> None:
    """Zero seconds never look at it."""
    engine = Engine()
    engine.running = 1
    async with looking(engine, every_s=0.02, stalled_s=0) as (_, replica, _):
        await until(lambda: engine.asked[b"/metrics"] > 5)
        assert replica.health.state is State.CLOSED


async def test_one_that_stands_still_and_falls_silent_about_it_stays_out() -> None:
    """Its silence is no sign that it moves."""
    engine = Engine()
    engine.running = 1
    async with looking(engine, every_s=0.02, stalled_s=0.05, timeout_s=0.05, eject_s=0.01) as (_, replica, _):
        await until(lambda: not replica.is_usable)
        engine.is_mute = True
        looks = engine.asked[b"/health"]
        await until(lambda: engine.asked[b"/health"] > looks + 3)
        assert not replica.is_usable


async def test_metrics_that_do_not_come_are_no_bad_sign() -> None:
    """The rest is what counts."""
    engine = Engine()
    engine.is_mute = True
    async with looking(engine, every_s=0.02, timeout_s=0.05) as (_, replica, _):
        await until(lambda: engine.asked[b"/health"] > 4)
        assert replica.health.state is State.CLOSED
        assert replica.health.failures == 0


async def test_the_requests_of_others_are_what_is_not_ours() -> None:
    """Never fewer than none, because the two counts are not of the same moment."""
    engine = Engine()
    engine.running, engine.waiting = 3, 2
    async with looking(engine) as (_, replica, prober):
        assert replica.others == 5
        replica.outstanding = 4
        await prober.look()
        assert replica.others == 1
        replica.outstanding = 9
        await prober.look()
        assert replica.others == 0


async def test_its_metrics_are_kept_for_others_to_read() -> None:
    """As of the last look: a page that does not come, or is larger than any that makes sense, is none."""
    engine = Engine()
    engine.running = 3
    async with looking(engine) as (_, replica, prober):
        assert replica.page == engine.page()
        engine.padding = MAX_PAGE_BYTES
        await prober.look()
        assert replica.page == b""
        engine.padding = 0
        await prober.look()
        assert replica.page == engine.page()
        engine.is_mute = True
        await prober.look()
        assert replica.page == b""


async def test_its_version_is_asked_for_once_each_time_it_comes_in() -> None:
    """It does not change while it runs; what was not there is not asked for again either."""
    engine = Engine()
    async with looking(engine) as (_, replica, prober):
        await prober.look()
        assert (replica.version, engine.asked[b"/version"]) == ("0.33.0", 1)
        replica.see(Sign.UNREACHABLE)
        assert replica.version == ""
        await prober.look()
        assert (replica.version, engine.asked[b"/version"]) == ("0.33.0", 2)
    async with looking(telling(MODELS)) as (_, replica, prober):
        await prober.look()
        assert replica.version == ""


async def test_a_replica_that_flaps_is_tried_more_and_more_seldom() -> None:
    """Its pauses grow from what the settings say to what they allow."""
    is_well, pauses = True, []

    async def play(visit: Visit) -> None:
        while True:
            await visit.request()
            await visit.say_json(MODELS, "200 OK" if is_well else "503 Service Unavailable")

    async with looking(play, every_s=0.01, eject_s=0.05, most_eject_s=0.2) as (_, replica, _):
        await until(lambda: replica.is_usable)
        for _ in range(4):
            is_well = False
            await until(lambda: not replica.is_usable)
            pauses.append(replica.health.ejected_s)
            is_well = True
            await until(lambda: replica.is_usable)
    assert pauses == [0.05, 0.1, 0.2, 0.2]


async def test_a_replica_that_is_removed_in_the_middle_of_a_look_does_not_matter() -> None:
    """Its look ends, and the others' too."""
    engine = Engine()
    engine.is_mute = True
    async with looking(engine, timeout_s=0.1) as (_, replica, prober):
        look = Tasks("test").start(prober.look(), name="a look")
        await until(lambda: engine.asked[b"/metrics"] == 2)
        replica.leave()
        await look
        assert not replica.is_usable
        assert replica.health.state is State.CLOSED


async def test_many_who_ask_share_one_look() -> None:
    """A hundred callers with an unknown model make the gateway look once, and again only after a pause."""
    looks = 0

    async def play(visit: Visit) -> None:
        nonlocal looks
        while True:
            request = await visit.request()
            looks += request.startswith(b"GET /v1/models")
            await visit.say_json(MODELS)

    async with looking(play, every_s=60) as (_, _, prober):
        await asyncio.gather(*(prober.look() for _ in range(100)))
        assert looks == 2  # the first one, and one for all hundred
        await asyncio.gather(*(prober.look_again() for _ in range(100)))
        assert looks == 2


async def test_other_settings_hold_from_the_next_look_on() -> None:
    """A replica that takes longer than it may now is not well any more."""

    async def slow(visit: Visit) -> None:
        while True:
            await visit.request()
            await asyncio.sleep(0.1)
            await visit.say_json(MODELS)

    async with looking(slow, every_s=600, timeout_s=5) as (_, replica, prober):
        assert replica.models
        assert not replica.health.failures
        prober.take_over(Probe(every_s=600, timeout_s=0.05, eject_s=7), most_waiting=0)
        await prober.look()
        assert replica.health.failures
        assert replica.ejecting.least_s == 7
