"""Replicas that come and go while the gateway serves: by a file, and by the addresses of a name."""

import asyncio
import itertools
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.gateway import Gateway, gateway
from tests.waiting import PATIENCE_S, until
from tests.wire.sims import asked, fast
from vllm_gateway import codec
from vllm_gateway.settings.model import Upstream
from vllm_gateway.sim import RunningSim, start

CHAT = "/v1/chat/completions"
NAME = "replicas.test"
SAYS = {"model": "sim-small", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 8}
NUMBERS = itertools.count()


@asynccontextmanager
async def sims(*hosts: str, **kind: Any) -> AsyncIterator[list[RunningSim]]:  # noqa: ANN401 - any setting
    """Run a sim at each of these addresses, all at one port."""
    async with AsyncExitStack() as stack:
        running: list[RunningSim] = []
        for host in hosts:
            port = running[0].port if len(set(hosts)) > 1 and running else 0
            running.append(await start(fast(**kind), host=host, port=port))
            stack.push_async_callback(running[-1].close)
        yield running


def write(path: Path, *urls: str) -> None:
    """Put a list of replicas in the place of the one before."""
    new = path.with_suffix(".new")
    new.write_bytes(codec.dumps([{"url": url} for url in urls]))
    new.rename(path)


def names(door: Gateway) -> list[str]:
    """Return who may be asked."""
    return [replica.name for replica in door.parts.pool.replicas if replica.is_usable]


async def ask(door: Gateway) -> None:
    """Have one question answered that nobody has asked before."""
    says = {**SAYS, "messages": [{"role": "user", "content": str(next(NUMBERS))}]}
    answer = await door.http.post(CHAT, json=says)
    assert answer.status_code == 200, answer.text


async def test_a_file_adds_and_removes_replicas_without_dropping_a_stream(tmp_path: Path) -> None:
    """The stream ends where it began although its replica is off the list; what comes next goes to the new one."""
    path = tmp_path / "replicas.json"
    async with sims("127.0.0.1", "127.0.0.1", itl_ms=10) as (one, two):
        write(path, one.url)
        async with gateway(discovery={"file": str(path), "every_s": 0.02}, probe={"every_s": 600}) as door:
            await ask(door)
            body = {**SAYS, "stream": True, "max_tokens": 40, "ignore_eos": True}
            async with door.http.stream("POST", CHAT, json=body) as stream:
                lines = stream.aiter_lines()
                await anext(lines)
                write(path, two.url)
                await until(lambda: names(door) == ["default-2"])
                await ask(door)
                rest = [line async for line in lines]
            assert rest[-2:] == ["data: [DONE]", ""]
            assert (len(asked(one)), len(asked(two))) == (2, 1)


async def test_a_broken_file_changes_nothing(tmp_path: Path) -> None:
    """Neither half a list nor none at all takes a replica away."""
    path = tmp_path / "replicas.json"
    async with sims("127.0.0.1") as (one,):
        write(path, one.url)
        async with gateway(discovery={"file": str(path), "every_s": 0.02}, probe={"every_s": 600}) as door:
            for broken in (b'[{"url": "http://127.', b"", None):
                if broken is None:
                    path.unlink()
                else:
                    path.write_bytes(broken)
                await asyncio.sleep(0.06)
                await ask(door)
            assert names(door) == ["default-1"]


class Resolver:
    """The system's resolver, for one name that does what a test says."""

    def __init__(self) -> None:
        self.addresses: list[str] = []
        """None of them: the name is not known."""
        self.asked = 0
        self.may_answer = threading.Event()
        self.may_answer.set()
        self._real = socket.getaddrinfo

    def getaddrinfo(self, host: Any, *args: Any, **named: Any) -> Any:  # noqa: ANN401 - as the system's
        """Answer for the name; ask the system for all others."""
        if host != NAME:
            return self._real(host, *args, **named)
        self.asked += 1
        self.may_answer.wait(PATIENCE_S)
        if not self.addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in self.addresses]


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    """Stand in for the name server that a test cannot have."""
    made = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", made.getaddrinfo)
    return made


def behind_name(port: int, *, resolve: bool = True) -> Upstream:
    """Return the replicas behind the name."""
    return Upstream(url=f"http://{NAME}:{port}", resolve=resolve)


async def test_each_address_of_a_name_is_a_replica(resolver: Resolver) -> None:
    """F-22: both are used; one that goes is asked no more, one that comes is; all are called by the name."""
    async with sims("127.0.0.1", "127.0.0.2", "127.0.0.3") as running:
        one, _, three = running
        resolver.addresses = ["127.0.0.1", "127.0.0.2"]
        every: dict[str, Any] = {"discovery": {"every_s": 0.02}, "probe": {"every_s": 600}}
        async with gateway(behind_name(one.port), **every) as door:
            for _ in range(4):
                await ask(door)
            assert [len(asked(sim)) for sim in running] == [2, 2, 0]
            assert one.log.requests[-1].header("host") == f"{NAME}:{one.port}"
            resolver.addresses = ["127.0.0.2", "127.0.0.3"]
            await until(lambda: {replica.ip for replica in door.parts.pool.replicas} == {"127.0.0.2", "127.0.0.3"})
            for _ in range(4):
                await ask(door)
            assert len(asked(one)) == 2
            assert len(asked(three)) == 2


async def test_a_name_server_that_fails_takes_no_replica_away(resolver: Resolver) -> None:
    """F-22: neither an unknown name nor a resolver that does not answer costs a request; the loop is never held up."""
    async with sims("127.0.0.1") as (one,):
        resolver.addresses = ["127.0.0.1"]
        every: dict[str, Any] = {"discovery": {"every_s": 0.02}, "probe": {"every_s": 600}}
        async with gateway(behind_name(one.port), **every) as door:
            for fail in (resolver.addresses.clear, resolver.may_answer.clear):
                fail()
                resolver.asked = 0
                await until(lambda: resolver.asked > 0)
                await asyncio.gather(*(ask(door) for _ in range(20)))
            assert len(names(door)) == 1
            resolver.may_answer.set()


async def test_a_plain_name_outlives_its_name_server(resolver: Resolver) -> None:
    """F-22: new connections go where the name was found last, while it cannot be found."""
    async with sims("127.0.0.1") as (one,):
        resolver.addresses = ["127.0.0.1"]
        async with gateway(behind_name(one.port, resolve=False), probe={"every_s": 600}) as door:
            await ask(door)
            (replica,) = door.parts.pool.replicas
            assert replica._lookup is not None
            for _ in range(2):
                resolver.addresses = []
                replica.close_idle(older_than_s=-1)
                replica._lookup.forget_soon()
                await ask(door)
