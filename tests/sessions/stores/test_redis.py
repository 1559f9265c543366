"""Conversations in Redis: what the contract of all stores leaves open."""

import pytest
from redis.asyncio import Redis

from tests.sessions.stores.places import NOW, TTL_S, Place, said, session, turn
from tests.sessions.stores.test_contract import response
from vllm_gateway.sessions.store import Store
from vllm_gateway.sessions.stores.redis_scripts import GRACE_S

pytestmark = pytest.mark.servers


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
