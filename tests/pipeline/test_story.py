"""The story of an exchange, and its one outcome, whatever happens."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from tests.gateway import gateway
from tests.scripted import MODEL, Visit, as_replica, scripted
from tests.upstream.test_answers import Notes, chat
from tests.waiting import until
from vllm_gateway import serve
from vllm_gateway.errors import BodyMalformed, Draining, InternalFault
from vllm_gateway.exchange import CallerGone, Exchange
from vllm_gateway.outcomes import Outcome
from vllm_gateway.pipeline.story import Pipeline
from vllm_gateway.settings.model import Session, Settings, Upstream
from vllm_gateway.telemetry.ledger import Ledger

CHAT = "/v1/chat/completions"


Made = tuple[Pipeline, Ledger]


@pytest.fixture
async def made() -> AsyncIterator[Made]:
    """Give the pipeline of a gateway whose only replica is away."""
    upstream = Upstream(url="http://127.0.0.1:9")
    async with serve.build(Settings(upstreams=(upstream,), session=Session(backend="memory"))) as parts:
        yield parts.pipeline, parts.ledger


async def test_a_caller_who_leaves_before_the_body_is_closed_as_gone(made: Made) -> None:
    """Nobody is told, and it is counted."""
    pipeline, ledger = made
    exchange = chat()

    async def leave() -> bytes:
        raise CallerGone

    exchange.receive = leave
    await pipeline.run(exchange, Notes())
    assert ledger.outcomes == {Outcome.CLIENT_GONE: 1}


async def test_a_defect_is_told_without_its_text(made: Made, caplog: pytest.LogCaptureFixture) -> None:
    """What goes wrong inside is one safe sentence for the caller, and everything for the log."""
    pipeline, ledger = made
    exchange = chat()

    async def break_down() -> bytes:
        raise ZeroDivisionError("secret detail")

    exchange.receive = break_down
    with pytest.raises(InternalFault) as caught, caplog.at_level(logging.ERROR):
        await pipeline.run(exchange, Notes())
    assert "secret" not in str(caught.value)
    assert "secret detail" in caplog.text
    assert ledger.outcomes == {Outcome.INTERNAL_ERROR: 1}
    assert exchange.id in caplog.text


async def test_new_work_is_refused_during_the_drain_before_its_body_is_read(made: Made) -> None:
    """A gateway that is about to stop reads no more bodies."""
    pipeline, ledger = made
    pipeline.is_draining = True
    exchange = chat()

    async def read() -> bytes:
        raise AssertionError("the body was read")

    exchange.receive = read
    with pytest.raises(Draining):
        await pipeline.run(exchange, Notes())
    assert ledger.outcomes == {Outcome.REFUSED_OVERLOAD: 1}


async def never() -> bytes:
    """Wait for ever."""
    forever: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    return await forever


def running(made: Made, exchange: Exchange, sink: Notes) -> tuple["asyncio.Task[None]", Ledger]:
    """Run an exchange whose body never comes."""
    pipeline, ledger = made
    exchange.receive = never
    exchange.task = asyncio.get_running_loop().create_task(pipeline.run(exchange, sink))
    return exchange.task, ledger


async def test_an_exchange_can_be_stopped_with_a_reason(made: Made) -> None:
    """Whoever stops it says why, and the caller is told."""
    exchange = chat()
    task, ledger = running(made, exchange, Notes())
    await asyncio.sleep(0)
    exchange.stop(Draining("over"))
    with pytest.raises(Draining, match="over"):
        await task
    assert ledger.outcomes == {Outcome.REFUSED_OVERLOAD: 1}


async def test_a_cancellation_of_somebody_else_goes_on_its_way(made: Made) -> None:
    """It is counted, and not swallowed."""
    task, ledger = running(made, chat(), Notes())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sum(ledger.outcomes.values()) == 1


async def test_a_cancellation_for_a_caller_who_left_ends_quietly(made: Made) -> None:
    """The lane cancels when the caller leaves."""
    sink = Notes()
    task, ledger = running(made, chat(), sink)
    await asyncio.sleep(0)
    sink.is_gone = True
    task.cancel()
    await task
    assert ledger.outcomes == {Outcome.CLIENT_GONE: 1}


async def test_what_the_caller_is_told_is_known_when_an_exchange_is_over(made: Made) -> None:
    """Status and code of its error, how long the steps took that it came to, and no others."""
    pipeline, ledger = made
    seen: list[tuple[Exchange, str]] = []
    ledger.seen.append(lambda exchange, record: seen.append((exchange, record.outcome)))
    exchange = chat()
    exchange.receive = malformed
    with pytest.raises(BodyMalformed):
        await pipeline.run(exchange, Notes())
    assert seen == [(exchange, Outcome.BAD_REQUEST)]
    assert (exchange.status, exchange.trail.error) == (400, "invalid_json")
    assert exchange.trail.auth_s is not None
    assert exchange.trail.read_s is None
    assert exchange.trail.route_s is None


async def malformed() -> bytes:
    """Return a body that is none."""
    return b"{"


async def test_outcomes_add_up_to_the_number_of_requests() -> None:
    """Good, bad, unknown, failed and abandoned requests together: each is counted once."""
    hangs = asyncio.Event()

    async def answer(visit: Visit, request: bytes) -> None:
        if b'"fail"' in request:
            await visit.say_json(b"{}", "500 Internal Server Error")
        elif b'"hang"' in request:
            hangs.set()
            await visit.until_closed()
        else:
            await visit.say_json(b"{}")

    async with scripted(as_replica(answer)) as replica, gateway(replica.url, retry={"attempts": 1}) as door:
        bodies = [b'{"model":"scripted"}', b"{", b'{"model":"nobody"}', b'{"model":"scripted","x":"fail"}']
        for body in bodies:
            await door.http.post(CHAT, content=body)
        hanging = asyncio.get_running_loop().create_task(door.http.post(CHAT, json={"model": MODEL, "x": "hang"}))
        await hangs.wait()
        hanging.cancel()
        await until(lambda: not door.parts.ledger.live)
        assert door.parts.ledger.outcomes == {
            Outcome.OK: 1,
            Outcome.BAD_REQUEST: 2,
            Outcome.UPSTREAM_ERROR: 1,
            Outcome.CLIENT_GONE: 1,
        }
        assert not door.parts.ledger.live


async def test_models_are_routed_by_name_default_and_alias() -> None:
    """The body that reaches the replica names the model that is meant."""
    seen: list[bytes] = []

    async def answer(visit: Visit, request: bytes) -> None:
        seen.append(request.partition(b"\r\n\r\n")[2])
        await visit.say_json(b"{}")

    settings = {"aliases": {"gpt-4o-mini": MODEL}, "default_model": "gpt-4o-mini"}
    async with scripted(as_replica(answer)) as replica, gateway(replica.url, **settings) as door:
        for body in ({"model": MODEL}, {"model": "gpt-4o-mini"}, {}):
            assert (await door.http.post(CHAT, json=body)).status_code == 200
        unknown = await door.http.post(CHAT, json={"model": "nobody"})
    assert seen == [b'{"model":"scripted"}'] * 3
    assert unknown.status_code == 404
    assert unknown.json()["error"]["code"] == "model_not_found"
    assert "Available: scripted, gpt-4o-mini." in unknown.json()["error"]["message"]
