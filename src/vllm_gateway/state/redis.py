"""The way to Redis or Valkey: to one server, to the one that Sentinels name, or to a cluster.

No command is ever repeated by itself: what was asked may have been done. A connection that failed, and one whose server
says that it may only be read from, is given up together with the idle ones beside it, so that the next command looks
anew for the server that takes it.
"""

import asyncio
from typing import Any

from redis.asyncio import BlockingConnectionPool, Connection, Redis, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import ReadOnlyError, RedisClusterException, RedisError
from redis.exceptions import TimeoutError as NoAnswer
from typing_extensions import override

from vllm_gateway.settings.redis_url import RedisAddress, read_address

Client = Redis | RedisCluster

FAULTS: tuple[type[Exception], ...] = (RedisError, OSError, TimeoutError)
"""All that a command may raise when the server is away, or does not do it."""

_CONNECTIONS = 32
_PROBE_AFTER_S = 15
_PATIENT = 0.8
"""After so much of the time for an answer the rest of it begins, however late that is noticed."""
_GIVES_UP_ON = (NoConnection, NoAnswer, ReadOnlyError)


def connect(url: str, *, wait_s: float) -> Client:
    """Return a client that reaches for its server with its first command; `aclose` lets go of all connections.

    `wait_s` is how long it waits for a connection, for a free one, and for each answer.
    """
    address = read_address(url)
    options: dict[str, Any] = {
        "max_connections": _CONNECTIONS,
        "socket_timeout": wait_s,
        "socket_connect_timeout": wait_s,
        "health_check_interval": _PROBE_AFTER_S,
        "protocol": 2,
        **address.options,
    }
    match address.kind:
        case "cluster":
            return _Cluster(address, wait_s=wait_s, **options)
        case "sentinel":
            return Redis.from_pool(_watched(address, wait_s, options))
        case "socket":
            way: dict[str, Any] = {"connection_class": UnixDomainSocketConnection, "path": address.path}
        case "server":
            (host, port), encrypted = address.hosts[0], address.is_encrypted
            way = {"connection_class": SSLConnection if encrypted else Connection, "host": host, "port": port}
    return Redis.from_pool(_Pool(timeout=wait_s, retry=_once(), **way, **options))


async def server_time_s(client: Client) -> float:
    """Return the time of a server, in seconds since the epoch; raises one of `FAULTS`."""
    told: Any = await client.time()
    seconds, microseconds = next(iter(told.values())) if isinstance(told, dict) else told
    return float(seconds) + float(microseconds) / 1e6


async def is_answered(command: "asyncio.Task[Any]", *, within_s: float) -> bool:
    """Wait for a command, which goes on whoever leaves; say whether it came to its end in time.

    A loop that was held up itself is no late answer: what has arrived meanwhile is read before that is said.
    """
    await asyncio.wait([command], timeout=_PATIENT * within_s)
    if not command.done():
        await asyncio.wait([command], timeout=(1 - _PATIENT) * within_s)
    return command.done()


class _Pool(BlockingConnectionPool):
    """Connections to one server; who finds none free waits for one."""

    @override
    async def release(self, connection: AbstractConnection) -> None:
        """Take a connection back. One that broke takes the idle ones with it: they led to the same server."""
        if not connection.is_connected:
            await self.disconnect(inuse_connections=False)
        await super().release(connection)

    @override
    async def disconnect(self, inuse_connections: bool = True) -> None:
        """Close connections. Idle ones leave the pool first, so that nobody takes one that is being closed."""
        idle, self._available_connections = self._available_connections, []
        for connection in idle:
            await connection.disconnect(nowait=not inuse_connections)
        if inuse_connections:
            await super().disconnect()


class _WatchedPool(SentinelConnectionPool, _Pool):
    """Connections to the server that Sentinels name, which are asked before each new one."""

    @override
    async def aclose(self) -> None:
        """Let go of the Sentinels too."""
        await super().aclose()
        await self.sentinel_manager.aclose()


class _Cluster(RedisCluster):
    """A client of a cluster in which who finds no connection free waits for one, and whose faults are of one family.

    It looks for the cluster at the nodes that it knows and at those that the settings name.
    """

    def __init__(self, address: RedisAddress, *, wait_s: float, **options: Any) -> None:  # noqa: ANN401 - the library's
        nodes = [ClusterNode(host, port) for host, port in address.hosts]
        super().__init__(
            startup_nodes=nodes,
            require_full_coverage=False,
            reinitialize_steps=0,  # to begin anew would close connections that others use
            retry=_once(),
            ssl=address.is_encrypted,
            **options,
        )
        self._named = list(address.hosts)
        self._wait_s = wait_s
        self._turns = asyncio.Semaphore(options["max_connections"])

    @override
    async def initialize(
        self,
        additional_startup_nodes_info: list[tuple[str, int]] | None = None,
        last_failed_node_name: str | None = None,
    ) -> RedisCluster:
        """Learn which node has what."""
        return await super().initialize(additional_startup_nodes_info or self._named, last_failed_node_name)

    @override
    async def execute_command(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command where its keys are."""
        try:
            async with asyncio.timeout(self._wait_s):
                await self._turns.acquire()
        except TimeoutError as fault:
            raise NoConnection("No connection available.") from fault
        try:
            await self.initialize()  # a command that comes before it would be sent anywhere
            return await super().execute_command(*args, **kwargs)
        except RedisClusterException as fault:
            raise NoConnection(str(fault)) from fault
        except AttributeError as fault:  # of a connection that another command's failure closed as this one opened it
            raise NoConnection("Connection closed.") from fault
        finally:
            self._turns.release()

    @override
    async def mget(self, keys: Any, *args: Any) -> list[Any]:
        """Return values that may lie on several nodes."""
        return list(await asyncio.gather(*(self.get(key) for key in [*keys, *args])))


def _watched(address: RedisAddress, wait_s: float, options: dict[str, Any]) -> _WatchedPool:
    tls = {name: value for name, value in options.items() if name.startswith("ssl_")}
    ways = {name: options[name] for name in ("socket_timeout", "socket_connect_timeout", "protocol")}
    sentinels = Sentinel(  # type: ignore[no-untyped-call]  # the library leaves this one without types
        address.hosts,
        sentinel_kwargs={**ways, **tls, **address.sentinel_login, "ssl": address.is_encrypted, "retry": _once()},
    )
    return _WatchedPool(  # type: ignore[no-untyped-call]  # as above
        address.service, sentinels, ssl=address.is_encrypted, timeout=wait_s, retry=_once(), **options
    )


def _once() -> Retry:
    """Return how often anything is tried; what is named here also ends the connection."""
    return Retry(NoBackoff(), 0, _GIVES_UP_ON)
