"""The ways to Redis."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.cluster import RedisCluster
from redis.exceptions import BusyLoadingError, ReadOnlyError

from tests.sessions.stores.way import Way, way_to
from tests.state import redis_rig
from tests.state.redis_rig import Cluster, Node, Watched, alone
from vllm_gateway.state.redis import FAULTS, Client, connect

WAIT_S = 1.0
NOBODY = "127.0.0.1:1"
BACK_S = 5.0
SCRIPT = "redis.call('SET', KEYS[1], ARGV[1]) return redis.call('GET', KEYS[1])"


@asynccontextmanager
async def connected(url: str, wait_s: float = WAIT_S) -> AsyncIterator[Client]:
    """Open a client, and close it."""
    client = connect(url, wait_s=wait_s)
    try:
        yield client
    finally:
        await client.aclose()


async def test_nothing_is_reached_before_the_first_command() -> None:
    """And what cannot be reached then is told as a fault of the one family."""
    for url in (
        f"redis://{NOBODY}",
        f"rediss://{NOBODY}",
        "unix:///nowhere/redis.sock",
        f"redis+sentinel://{NOBODY}/main",
        f"redis+cluster://{NOBODY}",
    ):
        async with connected(url) as client:
            with pytest.raises(FAULTS):
                await client.get("key")


async def test_what_an_address_says_is_what_is_done() -> None:
    """Of the login, the database and the times; the rest is as it is for all."""
    async with connected("redis://me:ses%23ame@h:7/4?socket_timeout=0.5") as client:
        assert isinstance(client, Redis)
        kwargs = client.connection_pool.connection_kwargs
        asked = {"host": "h", "port": 7, "db": 4, "username": "me", "password": "ses#ame"}
        waits = {"socket_timeout": 0.5, "socket_connect_timeout": WAIT_S}
        assert asked.items() | waits.items() <= {(name, kwargs.get(name)) for name in (*asked, *waits)}
    async with connected("rediss://h?ssl_ca_certs=/ca.pem&ssl_check_hostname=no") as client:
        assert isinstance(client, Redis)
        assert client.connection_pool.connection_class is SSLConnection
        assert client.connection_pool.connection_kwargs["ssl_check_hostname"] is False
    async with connected("unix:///run/redis.sock?db=2") as client:
        assert isinstance(client, Redis)
        assert client.connection_pool.connection_class is UnixDomainSocketConnection
        assert client.connection_pool.connection_kwargs["path"] == "/run/redis.sock"


@pytest.mark.servers
async def test_every_kind_of_address_does_what_the_stores_need(any_url: str) -> None:
    """Values, scripts that the server does not know yet, values from several places, sorted sets."""
    async with connected(any_url) as client:
        assert await client.register_script(SCRIPT)(["{a}:x"], ["v"]) == b"v"
        assert await client.set("b", b"w", ex=60)
        assert await client.mget(["{a}:x", "b", "c"]) == [b"v", b"w", None]
        await client.zadd("set", {b"m": 1.0})
        assert await client.zrangebyscore("set", "-inf", "2", start=0, num=9) == [b"m"]
        assert await client.delete("b") == 1


@pytest.mark.servers
async def test_more_commands_than_connections_take_turns(any_url: str) -> None:
    """None of them fails for want of a connection."""
    async with connected(any_url, wait_s=BACK_S) as client:
        keys = [f"key:{number}" for number in range(300)]
        await asyncio.gather(*(client.set(key, key) for key in keys))
        assert await asyncio.gather(*(client.get(key) for key in keys)) == [key.encode() for key in keys]


@pytest.mark.servers
async def test_a_server_that_the_authority_does_not_vouch_for_is_not_talked_to(tmp_path: Path) -> None:
    """Unless the address says so; the name has to be right too."""
    with redis_rig.encrypted(tmp_path) as url:
        known = f"ssl_ca_certs={tmp_path}/ca.pem"
        for refused in (url, f"{url.replace('localhost', '127.0.0.1')}?{known}", f"redis{url.removeprefix('rediss')}"):
            async with connected(refused) as client:
                with pytest.raises(FAULTS):
                    await client.get("key")
        for taken in (f"{url}?{known}", f"{url}?ssl_cert_reqs=none&ssl_check_hostname=no"):
            async with connected(taken) as client:
                assert await client.get("key") is None


@pytest.mark.servers
async def test_a_server_that_may_only_be_read_is_looked_for_anew(redis_url: str) -> None:
    """F-09: one answer suffices, and all connections go, however many lead to the server that was put back."""
    with alone() as old:
        async with _moving_way(old) as (way, url), connected(url) as client:
            await asyncio.gather(*(client.set("key", "old") for _ in range(20)))
            old.ask("replicaof", "127.0.0.1", "1")
            way._parts = way._parts._replace(netloc=redis_url.split("/")[2])
            with pytest.raises(ReadOnlyError):
                await client.set("key", "new")
            assert all(await asyncio.gather(*(client.set("key", "new") for _ in range(20))))


@pytest.mark.servers
async def test_a_server_that_is_loading_is_asked_again() -> None:
    """F-09: by the next command; when it has loaded, that is done."""
    with alone(
        "--appendonly", "no", "--key-load-delay", "2000", "--loading-process-events-interval-bytes", "1024"
    ) as node:
        async with connected(f"redis://127.0.0.1:{node.port}") as client:
            node.ask("debug", "populate", "400", "key", "2000")
            node.ask("save")
            node.kill()
            node.start()
            faults = await _faults_until_it_works(lambda: client.set("key", "value"))
            assert {type(each) for each in faults} == {BusyLoadingError}


@pytest.mark.servers
async def test_a_replica_takes_over_and_is_found(watched_redis: Watched) -> None:
    """F-09: within seconds of the Sentinel's decision, with the scripts, and with what the replica had."""
    async with connected(watched_redis.url) as client:
        script = client.register_script(SCRIPT)
        await asyncio.gather(*(script([f"key:{number}"], ["v"]) for number in range(20)))
        await asyncio.to_thread(
            redis_rig.wait_until, lambda: redis_rig.follows(watched_redis.replica, watched_redis.master)
        )
        watched_redis.master.kill()
        await asyncio.to_thread(redis_rig.wait_until, watched_redis.is_replaced)
        started = time.perf_counter()
        await _faults_until_it_works(lambda: script(["key:0"], ["v"]))
        assert time.perf_counter() - started < BACK_S
        assert await asyncio.gather(*(client.get(f"key:{number}") for number in range(20))) == [b"v"] * 20


@pytest.mark.servers
async def test_a_server_that_hangs_is_replaced(watched_redis: Watched) -> None:
    """F-09: connections on which nothing moves are not waited for twice."""
    async with connected(watched_redis.url) as client:
        await asyncio.gather(*(client.set("key", "v") for _ in range(20)))
        watched_redis.master.pause()
        await asyncio.to_thread(redis_rig.wait_until, watched_redis.is_replaced)
        started = time.perf_counter()
        await _faults_until_it_works(lambda: client.set("key", "w"))
        assert all(await asyncio.gather(*(client.set("key", "w") for _ in range(20))))
        assert time.perf_counter() - started < BACK_S


@pytest.mark.servers
async def test_a_node_of_a_cluster_is_replaced(redis_cluster: Cluster) -> None:
    """F-09: meanwhile the keys of the others are there; then all are."""
    async with connected(redis_cluster.url) as client:
        assert isinstance(client, RedisCluster)
        script = client.register_script(SCRIPT)
        keys = [f"key:{number}" for number in range(30)]
        await asyncio.gather(*(script([key], [key]) for key in keys))
        await asyncio.to_thread(
            redis_rig.wait_until, lambda: redis_rig.follows(redis_cluster.replica, redis_cluster.masters[0])
        )
        redis_cluster.masters[0].kill()
        others = [key for key in keys if client.keyslot(key) > redis_rig.CLUSTER_SLOTS // redis_rig.CLUSTER_MASTERS]
        await asyncio.to_thread(
            redis_rig.wait_until, lambda: "role:master" in redis_cluster.replica.ask("info", "replication")
        )
        started = time.perf_counter()
        for key in (others[0], *keys):
            await _faults_until_it_works(partial(script, [key], [key]))
        assert time.perf_counter() - started < BACK_S
        assert await client.mget(keys) == [key.encode() for key in keys]


@asynccontextmanager
async def _moving_way(node: Node) -> AsyncIterator[tuple[Way, str]]:
    """Open a way to a server that can be made to lead to another one."""
    async with way_to(f"redis://127.0.0.1:{node.port}/0") as way:
        yield way, way.url


async def _faults_until_it_works(command: Callable[[], Awaitable[Any]]) -> list[Exception]:
    """Run a command until it succeeds; return what it raised before."""
    faults: list[Exception] = []
    async with asyncio.timeout(2 * BACK_S):
        while True:
            try:
                await command()
            except FAULTS as fault:
                faults.append(fault)
                await asyncio.sleep(0.02)
            else:
                return faults
