"""Conversations in Redis: what the contract of all stores leaves open."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from redis.asyncio import Redis

from tests.sessions.stores.places import NOW, TTL_S, Place, said, session, turn
from tests.sessions.stores.test_contract import response
from tests.state import redis_rig
from tests.state.redis_rig import Cluster, Watched
from vllm_gateway.errors import StoreFailed
from vllm_gateway.sessions.store import Store
from vllm_gateway.sessions.stores.redis_scripts import GRACE_S

pytestmark = pytest.mark.servers

BACK_S = 5.0
LOST = 5
"""Turns at most, each a millisecond, that the replica had not heard of when the server was killed."""


@pytest.fixture
def redis_store(redis_place: Place) -> Store:
    """Give a store on Redis."""
    return redis_place.open()


async def test_nothing_stays_for_ever(redis_store: Store, redis_url: str) -> None:
    """The server itself deletes sessions and responses of gateways that never come back."""
    await redis_store.create(session())
    await redis_store.keep(response())
    await redis_store.begin("s", "h", NOW, lease_s=30)
    async with Redis.from_url(redis_url) as client:
        lives = {key.split(b":")[2]: await client.ttl(key) async for key in client.scan_iter("*{*}")}
        assert TTL_S + GRACE_S < lives[b"session"] <= TTL_S + GRACE_S + 30
        assert TTL_S < lives[b"response"] <= TTL_S + GRACE_S
        await redis_store.finish("s", "h", turn("a"))
        await redis_store.create(session("for ever", ttl_s=0.0))
        assert await client.ttl("vllm-gateway:1:session:{for ever}") == -1


async def test_a_sweep_leaves_no_key(redis_store: Store, redis_url: str) -> None:
    """Neither of sessions, nor of their lists."""
    for number in range(3):
        await redis_store.create(session(f"s{number}", owner=f"o{number}"))
    await redis_store.delete("s0", NOW)
    assert await redis_store.sweep(NOW + TTL_S) == 2
    async with Redis.from_url(redis_url) as client:
        assert await client.keys("*") == []


async def test_a_session_that_the_server_dropped_is_unlisted(redis_store: Store, redis_url: str) -> None:
    """A page passes over it, and the next sweep forgets it."""
    await redis_store.create(session("a"))
    await redis_store.create(session("b"))
    async with Redis.from_url(redis_url) as client:
        async for key in client.scan_iter("*session:*a*"):
            await client.delete(key)
        assert [each.id for each in await redis_store.page("alice", NOW, limit=9)] == ["b"]
        assert await redis_store.sweep(NOW + TTL_S) == 1
        assert await client.keys("*") == []


async def test_a_server_that_forgot_the_scripts_is_told_them_again(redis_store: Store, redis_url: str) -> None:
    """As after a restart."""
    await redis_store.create(session())
    async with Redis.from_url(redis_url) as client:
        await client.script_flush()
    await redis_store.begin("s", "h", NOW, lease_s=30)
    assert await redis_store.finish("s", "h", turn("a"))
    assert await redis_store.messages("s", start=0, limit=9) == list(said("a"))


async def test_keys_of_a_session_share_a_slot(redis_store: Store, redis_url: str) -> None:
    """Each carries the session's id as its hash tag."""
    await redis_store.create(session("sess_1"))
    async with Redis.from_url(redis_url) as client:
        assert [key async for key in client.scan_iter("*session:*")] == [b"vllm-gateway:1:session:{sess_1}"]


@pytest.fixture
def redis_cluster() -> Iterator[Cluster]:
    """Run a cluster."""
    with redis_rig.cluster() as rig:
        yield rig


@pytest.fixture
async def cluster_store(redis_cluster: Cluster) -> AsyncIterator[Store]:
    """Give a store on a cluster."""
    place = Place("redis", redis_cluster.url)
    yield place.open()
    await place.close()


async def test_conversations_lie_all_over_a_cluster(cluster_store: Store, redis_cluster: Cluster) -> None:
    """Each on one node, with its turns; lists of them, responses and sweeps find them everywhere."""
    names = [f"s{number:02}" for number in range(12)]
    for name in names:
        await cluster_store.create(session(name))
        assert await cluster_store.begin(name, "h", NOW, lease_s=30)
        assert await cluster_store.finish(name, "h", turn("a", name))
        await cluster_store.keep(response(name))
    assert all(master.ask("--scan", "--pattern", "*session:*") for master in redis_cluster.masters)
    assert sorted(each.id for each in await cluster_store.page("alice", NOW, limit=99)) == names
    assert [each.id for each in await cluster_store.kept(names, NOW)] == names
    assert await cluster_store.messages("s07", start=0, limit=9) == list(said("a", "s07"))
    assert await cluster_store.sweep(NOW + TTL_S) == len(names)


@pytest.fixture
def watched_redis() -> Iterator[Watched]:
    """Run a server, its replica and their Sentinel."""
    with redis_rig.watched() as rig:
        yield rig


@pytest.fixture
async def watched_store(watched_redis: Watched) -> AsyncIterator[Store]:
    """Give a store that finds its server by asking a Sentinel."""
    place = Place("redis", watched_redis.url)
    yield place.open()
    await place.close()


async def test_conversations_go_on_with_the_replica(watched_store: Store, watched_redis: Watched) -> None:
    """D-10: while it takes over callers are told that it failed; only turns that it had not heard of can be lost."""
    await watched_store.create(session())
    acknowledged = 0
    asyncio.get_running_loop().call_later(1.0, watched_redis.master.kill)
    replaced = asyncio.get_running_loop().create_task(
        asyncio.to_thread(redis_rig.wait_until, watched_redis.is_replaced)
    )
    while not replaced.done():
        try:
            await watched_store.begin("s", f"h{acknowledged}", NOW, lease_s=0)
            acknowledged += await watched_store.finish("s", f"h{acknowledged}", turn("a", at=NOW)) is not None
        except StoreFailed:
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.002)
    await replaced
    async with asyncio.timeout(BACK_S):
        kept = await _turns(watched_store)
    assert acknowledged > 0
    assert acknowledged - LOST <= kept <= acknowledged + 1


async def _turns(store: Store) -> int:
    """Return how many turns the conversation has, as soon as that can be told."""
    while True:
        try:
            found = await store.find("s", NOW)
        except StoreFailed:
            await asyncio.sleep(0.02)
        else:
            assert found is not None
            return found.turns
