"""Names and the addresses behind them."""

import asyncio
import socket
import threading

import pytest

from tests.scripted import Visit, scripted
from tests.waiting import until
from vllm_gateway.clock import HandClock, SystemClock
from vllm_gateway.settings.model import Upstream
from vllm_gateway.upstream.asking import ask
from vllm_gateway.upstream.connection import ConnectionFault
from vllm_gateway.upstream.replica import Replica
from vllm_gateway.upstream.resolving import Addresses, Lookup, Resolved, is_literal, system_lookup


class Names:
    """A resolver that says what a test says, and can be slow."""

    def __init__(self, *addresses: str) -> None:
        self.addresses: Addresses = addresses
        """None of them: the name is not known."""
        self.asked = 0
        self.may_answer = threading.Event()
        self.may_answer.set()

    def ask(self, _host: str) -> Addresses:
        """Answer when it may."""
        self.asked += 1
        self.may_answer.wait(10)
        if not self.addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return self.addresses


def lookup(names: Names, *, clock: HandClock | None = None, patience_s: float = 1.0) -> Lookup:
    """Return a lookup whose answers are fresh for five seconds."""
    return Lookup("replicas.test", clock=clock or HandClock(), fresh_s=5, patience_s=patience_s, ask=names.ask)


async def test_a_fresh_answer_is_not_asked_for_again() -> None:
    """Within five seconds one question is enough, and then there is another."""
    names, clock = Names("10.0.0.1"), HandClock()
    one = lookup(names, clock=clock)
    for _ in range(3):
        assert await one.addresses() == ("10.0.0.1",)
    assert names.asked == 1
    clock.move(5)
    names.addresses = ("10.0.0.2", "::1")
    assert await one.addresses() == ("10.0.0.2", "::1")


async def test_an_old_answer_serves_while_there_is_no_new_one() -> None:
    """F-22: a name that is not known any more keeps its addresses until it is known again."""
    names, clock = Names("10.0.0.1"), HandClock()
    one = lookup(names, clock=clock)
    await one.addresses()
    clock.move(5)
    names.addresses = ()
    assert await one.addresses() == ("10.0.0.1",)
    assert one.is_failing
    names.addresses = ("10.0.0.9",)
    assert await one.addresses() == ("10.0.0.9",)
    assert not one.is_failing


async def test_a_slow_resolver_holds_nobody_up() -> None:
    """F-22: the old answer is given after a moment, the loop goes on, and the late answer counts when it comes."""
    names, clock = Names("10.0.0.1"), HandClock()
    one = lookup(names, clock=clock, patience_s=0.05)
    await one.addresses()
    clock.move(5)
    names.may_answer.clear()
    names.addresses = ("10.0.0.2",)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.005)
            ticks += 1

    ticking = asyncio.get_running_loop().create_task(tick())
    assert await asyncio.gather(*(one.addresses() for _ in range(20))) == [("10.0.0.1",)] * 20
    assert ticks > 3
    assert names.asked == 2, "there is one question at a time"
    names.may_answer.set()
    await until(lambda: one._known == ("10.0.0.2",))
    ticking.cancel()


async def test_who_leaves_does_not_take_the_answer_with_it() -> None:
    """A question that somebody gave up goes on for the others."""
    names = Names("10.0.0.1")
    names.may_answer.clear()
    one = lookup(names)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await one.addresses()
    names.may_answer.set()
    assert await one.addresses() == ("10.0.0.1",)
    assert names.asked == 1


async def test_a_name_that_was_never_found_is_a_fault() -> None:
    """There is nothing to fall back on."""
    with pytest.raises(OSError, match="not known"):
        await lookup(Names()).addresses()


async def test_what_proved_useless_is_asked_for_again() -> None:
    """An address that nobody answers at is not trusted for five seconds."""
    names = Names("10.0.0.1")
    one = lookup(names)
    await one.addresses()
    one.forget_soon()
    await one.addresses()
    assert names.asked == 2


def test_the_system_knows_this_machine() -> None:
    """Addresses come once each, in figures."""
    found = system_lookup("localhost")
    assert "127.0.0.1" in found or "::1" in found
    assert len(set(found)) == len(found)
    assert all(is_literal(each) for each in found)


@pytest.mark.parametrize("host", ["no-such-name.invalid", "a" * 64 + ".test", "x..y"])
def test_what_is_no_name_is_a_fault_of_one_kind(host: str) -> None:
    """Whether the system or Python refuses it, callers see `OSError`."""
    with pytest.raises(OSError, match=r".+"):
        system_lookup(host)


async def test_a_replica_behind_a_name_keeps_the_name() -> None:
    """It is reached at its own address, and called by the name it was given."""
    request = b""

    async def play(visit: Visit) -> None:
        nonlocal request
        request = await visit.request()
        await visit.say_json(b"{}")

    async with scripted(play) as server:
        upstream = Resolved(url=f"http://replicas.test:{server.port}", ip="127.0.0.1")
        replica = Replica("default-1", upstream, clock=SystemClock(), connect_s=2)
        assert (await ask(replica, b"GET", "/health")).status == 200
        assert f"Host: replicas.test:{server.port}\r\n".encode() in request
        replica.close_idle()


async def test_its_certificate_must_have_the_name() -> None:
    """TLS asks for the name, not for the address."""
    hello = b""

    async def play(visit: Visit) -> None:
        nonlocal hello
        hello = await visit.reader.read(4096)

    async with scripted(play) as server:
        upstream = Resolved(url=f"https://replicas.test:{server.port}", ip="127.0.0.1")
        replica = Replica("default-1", upstream, clock=SystemClock(), connect_s=2)
        with pytest.raises(ConnectionFault):
            await replica.connect()
    assert b"replicas.test" in hello


async def test_a_plain_name_is_tried_at_each_of_its_addresses() -> None:
    """A replica whose name has two addresses is found when it listens at one of them only."""

    async def play(visit: Visit) -> None:
        await visit.request()
        await visit.say_json(b"{}")

    async with scripted(play) as server:
        upstream = Upstream(url=f"http://localhost:{server.port}")
        replica = Replica("default-1", upstream, clock=SystemClock(), connect_s=2)
        assert (await ask(replica, b"GET", "/health")).status == 200
        replica.close_idle()
