"""Replicas that come and go."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.upstream.test_resolving import Names
from tests.waiting import until
from vllm_gateway.clock import HandClock, SystemClock
from vllm_gateway.settings.fleet import Discovery as DiscoverySettings
from vllm_gateway.settings.model import Upstream
from vllm_gateway.upstream.discovery import LISTED, Discovery
from vllm_gateway.upstream.pool import Pool
from vllm_gateway.upstream.replica import CONFIGURED
from vllm_gateway.upstream.resolving import Resolved

PLAIN = Upstream(url="http://127.0.0.1:8001")
NAMED = Upstream(url="http://replicas.test:8000", route="big", weight=2, resolve=True)


@dataclass
class Seen:
    """A replica that is not known before somebody looks."""

    is_known: bool = False


@dataclass
class Told:
    """A pool that remembers what it was told, and by what the looks were surrounded."""

    calls: list[str] = field(default_factory=list)
    known: dict[str, list[str]] = field(default_factory=dict)
    seen: Seen = field(default_factory=Seen)

    def prepare(self, source: str, upstreams: Iterable[Upstream]) -> list[Seen]:
        """Note who is to come."""
        self.calls.append(f"prepare {source} {' '.join(where(upstreams))}")
        self.seen = Seen()
        return [self.seen]

    def follow(self, source: str, upstreams: Iterable[Upstream]) -> None:
        """Note who is wanted."""
        self.known[source] = where(upstreams)
        self.calls.append(f"follow {source} {' '.join(where(upstreams))}")

    async def look(self) -> None:
        """Note a look."""
        self.calls.append("look")
        self.seen.is_known = True


def where(upstreams: Iterable[Upstream]) -> list[str]:
    """Return the addresses of resolved upstreams, and the URLs of others."""
    return [each.ip if isinstance(each, Resolved) else each.url for each in upstreams]


@asynccontextmanager
async def discovering(
    *upstreams: Upstream, names: Names | None = None, file: Path | None = None, every_s: float = 0.01, workers: int = 1
) -> AsyncIterator[tuple[Discovery, Told]]:
    """Run a discovery that looks a hundred times a second."""
    told = Told()
    settings = DiscoverySettings(file=None if file is None else str(file), every_s=every_s)
    ask = (names or Names()).ask
    discovery = Discovery(told, upstreams, settings, told.look, clock=HandClock(), ask=ask, workers=workers)
    await discovery.open()
    try:
        yield discovery, told
    finally:
        await discovery.close()


async def test_where_nothing_can_change_nothing_runs() -> None:
    """Upstreams with addresses of their own cost no task and no call."""
    async with discovering(PLAIN) as (discovery, told):
        assert told.calls == []
        assert len(discovery._tasks) == 0


async def test_each_address_of_a_name_is_a_replica() -> None:
    """They have all that was said of the name, and the others keep their places."""
    async with discovering(PLAIN, NAMED, names=Names("10.0.0.2", "10.0.0.1", "fd00::1")) as (discovery, told):
        assert told.calls == ["follow configured http://127.0.0.1:8001 10.0.0.1 10.0.0.2 fd00::1"]
        (_, *servers) = discovery._now[CONFIGURED]
        assert {(each.route, each.weight, each.url) for each in servers} == {("big", 2.0, "http://replicas.test:8000")}


async def test_new_addresses_are_looked_at_before_old_ones_go() -> None:
    """While a name moves from one server to another, there is always one that is known."""
    names = Names("10.0.0.1")
    async with discovering(NAMED, names=names) as (_, told):
        told.calls.clear()
        names.addresses = ("10.0.0.2",)
        await until(lambda: len(told.calls) >= 3)
        assert told.calls == ["prepare configured 10.0.0.2", "look", "follow configured 10.0.0.2"]


async def test_a_name_that_is_lost_keeps_its_addresses(caplog: pytest.LogCaptureFixture) -> None:
    """It is said once, and new addresses count as soon as there are some."""
    names = Names("10.0.0.1")
    async with discovering(NAMED, names=names) as (_, told):
        names.addresses = ()
        asked = names.asked
        await until(lambda: names.asked > asked + 3)
        assert told.known == {CONFIGURED: ["10.0.0.1"]}
        assert len(caplog.records) == 1
        names.addresses = ("10.0.0.2",)
        await until(lambda: told.known == {CONFIGURED: ["10.0.0.2"]})


async def test_a_name_that_was_never_found_stands_for_itself() -> None:
    """The pool keeps the one replica that the settings made until the name is known."""
    names = Names()
    async with discovering(NAMED, names=names) as (_, told):
        assert told.calls == []
        names.addresses = ("10.0.0.1", "10.0.0.2")
        await until(lambda: told.known == {CONFIGURED: ["10.0.0.1", "10.0.0.2"]})


async def test_the_file_is_a_source_of_its_own(tmp_path: Path) -> None:
    """Its replicas come and go, those of the settings stay; its names are looked up too."""
    path = tmp_path / "replicas.yaml"
    path.write_text("- url: http://127.0.0.1:8002\n")
    async with discovering(PLAIN, file=path, names=Names("10.0.0.1")) as (_, told):
        assert told.calls == ["follow file http://127.0.0.1:8002"]
        path.write_text("- {url: 'http://replicas.test', resolve: true}\n- url: http://127.0.0.1:8002\n")
        await until(lambda: told.known[LISTED] == ["10.0.0.1", "http://127.0.0.1:8002"])
        path.write_text("[]")
        await until(lambda: told.known[LISTED] == [])
        assert CONFIGURED not in told.known


async def test_other_upstreams_are_taken_over() -> None:
    """After a reload the new ones are followed, the old names are forgotten, and the pool is told by the reload."""
    names = Names("10.0.0.1")
    async with discovering(PLAIN, names=names) as (discovery, told):
        assert where(await discovery.take_over([NAMED])) == ["10.0.0.1"]
        assert told.calls == []
        names.addresses = ("10.0.0.3",)
        await until(lambda: told.known == {CONFIGURED: ["10.0.0.3"]})
        assert where(await discovery.take_over([PLAIN])) == ["http://127.0.0.1:8001"]
        await until(lambda: not discovery._lookups)


async def test_a_surprise_does_not_end_it(caplog: pytest.LogCaptureFixture) -> None:
    """What goes wrong in one round is told, and made good in the next one."""
    names = Names("10.0.0.1")
    async with discovering(NAMED, names=names) as (discovery, told):

        async def fail() -> None:
            raise RuntimeError("surprise")

        look, discovery._look = discovery._look, fail
        names.addresses = ("10.0.0.2",)
        await until(lambda: "surprise" in caplog.text)
        discovery._look = look
        await until(lambda: told.known == {CONFIGURED: ["10.0.0.2"]})


async def test_a_real_pool_keeps_who_stays() -> None:
    """Of three addresses one goes and one comes; the others are the same replicas as before."""
    names = Names("10.0.0.1", "10.0.0.2", "10.0.0.3")
    pool = Pool([NAMED], clock=SystemClock(), connect_s=1)

    async def look() -> None:
        """Nobody is there to be looked at."""

    discovery = Discovery(pool, [NAMED], DiscoverySettings(every_s=0.01), look, clock=HandClock(), ask=names.ask)
    await discovery.open()
    before = {replica.ip: replica for replica in pool.replicas}
    assert sorted(map(str, before)) == ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
    names.addresses = ("10.0.0.1", "10.0.0.3", "10.0.0.4")
    await until(lambda: ips(pool.replicas) == ["10.0.0.1", "10.0.0.3", "10.0.0.4"])
    after = {replica.ip: replica for replica in pool.replicas}
    assert after["10.0.0.1"] is before["10.0.0.1"]
    assert after["10.0.0.3"] is before["10.0.0.3"]
    await discovery.close()
    pool.close()


def ips(replicas: Sequence[object]) -> list[str]:
    """Return where they are."""
    return sorted(str(getattr(replica, "ip", None)) for replica in replicas)


async def test_the_file_lists_nothing_that_several_workers_could_not_do(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Such a list is not taken over, and the log says what is wrong with it."""
    path = tmp_path / "replicas"
    path.write_text("- {url: http://a.test, max_concurrent: 4}\n")
    async with discovering(file=path, workers=2) as (_, told):
        assert told.known == {}
        assert "max_concurrent cannot be counted by several workers" in caplog.text
