"""What is made of one version of the settings, and how another version takes its place without anybody noticing."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from vllm_gateway.admission.rules.checking import Rules
from vllm_gateway.admission.rules.outgoing import Outgoing
from vllm_gateway.admission.rules.shape import check_size
from vllm_gateway.dialects.operations import build_operations
from vllm_gateway.edge.app import App, Door
from vllm_gateway.edge.cors import with_cors
from vllm_gateway.edge.express import FindWay, Way, no_way
from vllm_gateway.edge.house.building import Subjects, View, build_house
from vllm_gateway.edge.house.first_shape import Entrance
from vllm_gateway.edge.house.texts import allow_all
from vllm_gateway.edge.lane import Receive, Scope, Send
from vllm_gateway.exchange import Headers
from vllm_gateway.pipeline.explaining import explaining_to
from vllm_gateway.pipeline.response import ResponseTeller
from vllm_gateway.pipeline.screening import Screening, screening_for
from vllm_gateway.pipeline.sending import Sending
from vllm_gateway.pipeline.story import Pipeline
from vllm_gateway.pipeline.turn import TurnTeller
from vllm_gateway.routing.table import Table
from vllm_gateway.serve.making import can_be_full, is_embedded, make_sending, make_table
from vllm_gateway.serve.opening import open_caching, open_lane, open_metering
from vllm_gateway.serve.relaying import open_relaying
from vllm_gateway.serve.standing import Standing
from vllm_gateway.settings.model import Settings


@dataclass(frozen=True, slots=True)
class Front:
    """All that a request meets, as one version of the settings wants it."""

    door: App
    find_way: FindWay
    pipeline: Pipeline
    view: View
    has_rooms: bool
    """Requests wait for replicas that are full."""


@asynccontextmanager
async def open_front(settings: Settings, standing: Standing, house: App) -> AsyncIterator[Front]:
    """Put it together; nobody meets it yet.

    Raises:
        ScreenUnusable: a pattern of the deny-list is none, or the library that matches is not installed.
    """
    pool, clock, deadlines = standing.pool, standing.clock, standing.deadlines
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        table, screening = make_table(settings), screening_for(settings.rules)
        has_rooms = can_be_full(settings, pool.replicas)
        metering = await enter(open_metering(settings, standing.limiter, deadlines, clock))
        turnstile = standing.turnstile if has_rooms else None
        relaying = await enter(
            open_relaying(
                settings,
                pool,
                turnstile,
                learned=standing.learned,
                waking=standing.waking,
                deadlines=deadlines,
                clock=clock,
            )
        )
        outgoing = Outgoing(settings, invented_secret=relaying.secret)
        caching = await enter(open_caching(settings, standing.shelves, outgoing, screening, clock))
        sending = make_sending(
            settings,
            table=table,
            pool=pool,
            prober=standing.prober,
            relaying=relaying,
            counting=standing.counting,
            metering=metering,
            caching=caching,
            screening=screening,
        )
        pipeline = _pipeline(settings, standing, sending, screening)
        view = _make_view(settings, standing, table, screening)
        lane = await enter(open_lane(settings, pipeline, deadlines, clock))
        operations = build_operations(max_json_depth=settings.limits.max_json_depth, check_size=check_size)
        door = Door(operations, lane, house, max_body_bytes=settings.limits.max_body_bytes)
        find_way = partial(_way_past_cors, door) if settings.cors_origins else door.find_way
        yield Front(with_cors(door, settings.cors_origins), find_way, pipeline, view, has_rooms)


def _way_past_cors(door: Door, target: bytes, headers: Headers) -> Way | None:
    """Return a way for requests that are no browser's: a browser is told more than the lane says."""
    return None if any(name == b"origin" for name, _ in headers) else door.find_way(target, headers)


def _pipeline(settings: Settings, standing: Standing, sending: Sending, screening: Screening | None) -> Pipeline:
    turns = TurnTeller(
        sending,
        standing.kept.turns,
        standing.counting,
        tokenizers=standing.tokenizers,
        settings=settings.session,
        clock=standing.clock,
    )
    return Pipeline(
        keys=standing.keys,
        rules=Rules(settings),
        screening=screening,
        sending=sending,
        turns=turns,
        responses=ResponseTeller(sending, standing.kept.responses),
        ledger=standing.ledger,
        explaining=explaining_to(settings.auth, lambda: standing.keys.names),
    )


def _make_view(settings: Settings, standing: Standing, table: Table, screening: Screening | None) -> View:
    pool = standing.pool
    return View(
        table=table,
        screen=screening.check_fields if screening is not None else allow_all,
        entrance=Entrance(standing.keys, lambda: [replica.key for replica in pool.replicas if replica.key]),
        is_embedded=is_embedded(settings),
        are_metrics_public=settings.metrics.public,
    )


Made = tuple[Front, AsyncExitStack]
"""A front, and what closes it."""


class Fronts:
    """The front that requests meet now; earlier ones stay for as long as their last answers need them."""

    def __init__(self, standing: Standing) -> None:
        self._standing = standing
        self._house = build_house(self._subjects())  # once, because that takes long
        self._now: Made | None = None
        self._door: App = self._house
        self._find_way: FindWay = no_way
        self._earlier: list[tuple[AsyncExitStack, frozenset[int]]] = []
        """Each with the exchanges that were under way when another front took its place."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        await self._door(scope, receive, send)

    def find_way(self, target: bytes, headers: Headers) -> Way | None:
        """Return where a POST goes that need not pass the ASGI application."""
        return self._find_way(target, headers)

    @property
    def now(self) -> Front:
        """The front that new requests meet."""
        if self._now is None:
            raise RuntimeError("There is no front yet.")
        return self._now[0]

    async def made(self, settings: Settings) -> Made:
        """Make a front for these settings; raises what `open_front` raises, and then nothing has changed."""
        async with AsyncExitStack() as stack:
            front = await stack.enter_async_context(open_front(settings, self._standing, self._house))
            return front, stack.pop_all()

    def swap(self, made: Made) -> None:
        """Let new requests meet another front from now on; a shutdown that has begun goes on."""
        if self._now is not None:
            made[0].pipeline.is_draining = self._now[0].pipeline.is_draining
            made[0].pipeline.still_takes = self._now[0].pipeline.still_takes
            self._earlier.append((self._now[1], frozenset(self._standing.ledger.live)))
        self._now = made
        self._door, self._find_way = made[0].door, made[0].find_way

    async def tidy(self) -> None:
        """Close the earlier fronts whose last answer has ended."""
        live = self._standing.ledger.live.keys()
        over = [each for each in self._earlier if each[1].isdisjoint(live)]
        self._earlier = [each for each in self._earlier if each not in over]
        for stack, _ in over:
            await stack.aclose()

    async def close(self) -> None:
        """Close all of them."""
        stacks = [stack for stack, _ in self._earlier] + ([self._now[1]] if self._now is not None else [])
        self._earlier = []
        for stack in stacks:
            await stack.aclose()

    def _subjects(self) -> Subjects:
        standing = self._standing
        return Subjects(
            view=lambda: self.now.view,
            is_draining=lambda: self.now.pipeline.is_draining,
            pool=standing.pool,
            prober=standing.prober,
            ledger=standing.ledger,
            keys=standing.keys,
            book=standing.kept.book,
            responses=standing.kept.responses,
            scrape=standing.scraping.page,
        )


@asynccontextmanager
async def open_fronts(settings: Settings, standing: Standing) -> AsyncIterator[Fronts]:
    """Open the first front, and close at the end whichever there are then."""
    fronts = Fronts(standing)
    fronts.swap(await fronts.made(settings))
    try:
        yield fronts
    finally:
        await fronts.close()
