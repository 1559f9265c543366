"""Several gateways of several processes each, on one Redis and one PostgreSQL: whichever is asked, they are one."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx2
import pytest

from tests.sessions.stores.conftest import postgres_url as postgres_url  # noqa: PLC0414 - a fixture of this folder too
from tests.sessions.stores.conftest import redis_url as redis_url  # noqa: PLC0414 - likewise
from tests.wire.several import CHAT, HELLO, Several, met, several
from tests.wire.sims import fast
from tests.wire.test_earlier_deployments import replica
from vllm_gateway.sim import RunningSim
from vllm_gateway.telemetry.usage.statements import TABLE

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]

RATE = 30
"""Requests a minute, and so many at once: that is one burst."""
SETTINGS = """
limits: {{backend: redis, requests_per_minute: {rate}}}
session: {{backend: postgres}}
cache: {{backend: redis}}
usage: {{backend: postgres}}
state:
  redis_url: {redis}
  database_url: {postgres}
"""


@dataclass
class Group:
    """Two gateways, the replica behind both, and where their common database is."""

    doors: tuple[Several, Several]
    sim: RunningSim
    database: str

    async def ask(self, number: int, **headers: str) -> httpx2.Response:
        """Ask one of them, over a connection that any of its processes may get."""
        return await self.doors[number % 2].http.post(CHAT, json=HELLO, headers={"connection": "close", **headers})

    async def statuses(self, count: int, **headers: str) -> list[int]:
        """Ask both by turns, all at once."""
        replies = await asyncio.gather(*(self.ask(number, **headers) for number in range(count)))
        return [reply.status_code for reply in replies]

    async def rows(self) -> int:
        """Return how many requests the ledger has."""
        connection = await asyncpg.connect(self.database)
        try:
            return int(await connection.fetchval(f"SELECT count(*) FROM {TABLE}"))  # noqa: S608 - a constant
        except asyncpg.UndefinedTableError:
            return 0
        finally:
            await connection.close()


@asynccontextmanager
async def group(folder: Path, redis: str, postgres: str, *, rate: int = 0, auth: str = "none") -> AsyncIterator[Group]:
    """Run two gateways with two processes each."""
    connection = await asyncpg.connect(postgres)
    name = f"gateways_{time.time_ns()}"
    await connection.execute(f"CREATE SCHEMA {name}")
    database = f"{postgres}?search_path={name}"
    try:
        async with AsyncExitStack() as stack:
            sim = await stack.enter_async_context(replica(fast()))
            doors = []
            for each in ("a", "b"):
                (folder / each).mkdir()
                settings = SETTINGS.format(rate=rate, redis=redis, postgres=database)
                doors.append(
                    await stack.enter_async_context(several(folder / each, sim.url, settings=settings, auth=auth))
                )
            yield Group((doors[0], doors[1]), sim, database)
    finally:
        await connection.execute(f"DROP SCHEMA {name} CASCADE")
        await connection.close()


async def test_limits_hold_for_all_of_them_together(tmp_path: Path, redis_url: str, postgres_url: str) -> None:
    """To a burst more, where Redis was too slow for some requests; four processes for themselves would let in four."""
    async with group(tmp_path, redis_url, postgres_url, rate=RATE) as both:
        began = time.perf_counter()
        statuses = [status for _ in range(10) for status in await both.statuses(20)]
        freed = (time.perf_counter() - began) * RATE / 60
    assert sorted(set(statuses)) == [200, 429]
    assert RATE / 2 <= statuses.count(200) <= 2 * RATE + freed + 1


async def test_a_conversation_goes_on_wherever_it_is_heard(tmp_path: Path, redis_url: str, postgres_url: str) -> None:
    """Turns by turns, and at the same time: each is remembered once, behind the one before."""
    async with group(tmp_path, redis_url, postgres_url) as both:
        first, second = (door.http for door in both.doors)
        session = (await first.post("/v1/sessions", json={})).json()["id"]
        path = f"/v1/sessions/{session}/chat"

        async def say(number: int) -> int:
            door = (first, second)[number % 2]
            body = {"message": f"This is {number}.", "max_tokens": 4}
            return (await door.post(path, json=body, headers={"connection": "close"})).status_code

        assert [await say(number) for number in range(8)] == [200] * 8
        assert await asyncio.gather(*(say(number) for number in range(8, 12))) == [200] * 4
        told = (await second.get(f"/v1/sessions/{session}/messages?limit=1000")).json()["data"]
    roles = [message["role"] for message in told]
    said = [message["content"] for message in told[::2]]
    assert roles == ["user", "assistant"] * 12
    assert said[:8] == [f"This is {number}." for number in range(8)]
    assert sorted(said[8:]) == sorted(f"This is {number}." for number in range(8, 12))


async def test_a_key_that_one_revokes_is_refused_by_all(tmp_path: Path, redis_url: str, postgres_url: str) -> None:
    """As one that one has made is known to all, when each has looked again."""
    async with group(tmp_path, redis_url, postgres_url, auth="keys") as both:
        made = (await both.doors[0].admin.post("/admin/keys", json={"name": "ann"})).json()
        key = {"authorization": f"Bearer {made['key']}"}

        async def is_known() -> bool:
            return set(await both.statuses(12, **key)) == {200}

        async def is_refused() -> bool:
            return set(await both.statuses(12, **key)) <= {401, 429}  # too many wrong keys from one address

        await met(is_known)
        assert (await both.doors[1].admin.delete(f"/admin/keys/{made['id']}")).status_code == 200
        assert set(await both.doors[1].statuses(12)) == {401}
        await met(is_refused)


async def test_every_request_is_in_the_ledger_once(tmp_path: Path, redis_url: str, postgres_url: str) -> None:
    """Whichever process had it; each gateway tells the same of all of them."""
    async with group(tmp_path, redis_url, postgres_url) as both:
        assert set(await both.statuses(60)) == {200}

        async def is_written() -> bool:
            return await both.rows() >= 60

        await met(is_written)
        for door in both.doors:
            (row,) = (await door.admin.get("/admin/usage?group=model")).json()["data"]
            assert (row["requests"], row["completion_tokens"]) == (60, 240)
        assert [await door.stopped() for door in both.doors] == [0, 0]
        assert await both.rows() == 60
