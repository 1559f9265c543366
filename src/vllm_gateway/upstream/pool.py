"""The replicas: where each one is, what it serves, how it does, and the connections that are kept open to it."""

import logging
import math
import re
import ssl
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

from vllm_gateway import __version__
from vllm_gateway.clock import Clock
from vllm_gateway.settings.model import Upstream
from vllm_gateway.upstream.connection import Address, Connection, connect
from vllm_gateway.upstream.health import Health, Sign

log = logging.getLogger(__name__)

IDLE_S = 4.0
"""How long a free connection is kept. vLLM closes after 5 s; a request sent in that moment would be lost."""
MAX_IDLE = 256
"""Free connections kept for each replica; more than vLLM runs at once by default."""
_SENDABLE_KEY = re.compile(rb"[\x21-\x7e]{1,4096}")


def is_sendable(key: bytes) -> bool:
    """Say whether a key can stand in a header: visible ASCII characters only, so that it cannot end the line."""
    return _SENDABLE_KEY.fullmatch(key) is not None


class Replica:
    """One vLLM server."""

    def __init__(self, name: str, upstream: Upstream, *, clock: Clock, connect_s: float) -> None:
        self.name = name
        """Names it in `/v1/models`, in health and in the log; says nothing of where it is."""
        self.route = upstream.route
        self.weight = upstream.weight
        self.tokenizer_path = upstream.tokenizer_path
        """Folder of its model's tokenizer, where there is one on this machine."""
        self.models: dict[str, dict[str, Any]] = {}
        """What it said it serves: the rows of its own `/v1/models` by id, as it wrote them."""
        self.latency_s: float | None = None
        """How long it took to list its models last time."""
        self.health = Health()
        self.is_known = False
        """It has been probed at least once, whatever came of it."""
        self.outstanding = 0
        """Requests that it is answering for this gateway now."""
        self.turn = 0.0
        """Its place in the order of those that are equally busy: the lowest comes next."""
        self.takes_priority = upstream.priority_scheduling
        """It looks at the `priority` of requests, and refuses none for having one."""
        self.max_outstanding = upstream.max_concurrent or math.inf
        """So many requests it is sent at once by the settings."""
        self.learned_outstanding = math.inf
        """So many by what its own waiting line said last."""
        self.returns = 0
        """How often it came (back) in; between two times it may have become another model."""
        self.lacks: set[str] = set()
        """Routes that it turned out not to offer."""
        self._clock = clock
        self._connect_s = connect_s
        self._idle: list[tuple[Connection, float]] = []
        where = urlsplit(upstream.root)
        is_tls = where.scheme == "https"
        self._address = Address(
            host=where.hostname or "",
            port=where.port or (443 if is_tls else 80),
            tls=ssl.create_default_context() if is_tls else None,
        )
        self._path = where.path.rstrip("/").encode()
        self._keyless_head = self._constant_head(where.netloc)
        self._head = self._keyless_head
        if upstream.api_key is not None:
            self._head += _authorization(upstream.api_key.get_secret_value().encode())

    @property
    def is_usable(self) -> bool:
        """It may be asked now."""
        return self.health.is_usable

    @property
    def has_room(self) -> bool:
        """It may be asked one thing more."""
        return self.is_usable and self.outstanding < min(self.max_outstanding, self.learned_outstanding)

    def learn_room(self, waiting: int, *, most_waiting: int) -> None:
        """Take it from the length of its waiting line how many requests are enough for it, until the next look.

        The look is seconds old when it is used, so it does not shut the replica: as many requests as it could take then
        without letting more than `most_waiting` wait, it may have now.
        """
        too_many = waiting - most_waiting
        self.learned_outstanding = max(1, self.outstanding - too_many) if too_many >= 0 else math.inf

    def see(self, sign: Sign) -> None:
        """Take note of a sign of its health."""
        before = self.health
        self.health = before.after(sign)
        if before.is_usable and not self.health.is_usable:
            log.warning("replica %s is out: %s", self.name, sign.name.lower())
            self.lacks.clear()
        elif self.health.is_usable and not before.is_usable:
            self.returns += 1
            log.info("replica %s is in", self.name)

    def request(
        self, method: bytes, path: str, headers: bytes = b"", body: bytes = b"", *, callers_key: bytes = b""
    ) -> bytes:
        """Return the bytes of a request to it; `headers` are whole lines.

        It carries the replica's key of the settings, or in its place `callers_key`; never both.

        Raises:
            ValueError: no header can hold `callers_key`.
        """
        length = b"Content-Length: %d\r\n" % len(body) if body else b""
        head = self._head
        if callers_key:
            if not is_sendable(callers_key):
                raise ValueError("A caller's key must have visible ASCII characters only.")
            head = self._keyless_head + _authorization(callers_key)
        return b"".join((method, b" ", self._path, path.encode(), head, headers, length, b"\r\n", body))

    async def checkout(self) -> Connection:
        """Return a free connection, an open one if there is one; raise `ConnectionFault` if none can be made."""
        too_old = self._clock.now() - IDLE_S
        while self._idle:
            connection, since = self._idle.pop()
            if connection.is_free and since > too_old:
                return connection
            connection.close()
        return await self.connect()

    async def connect(self) -> Connection:
        """Return a connection on which nothing was ever sent; raise `ConnectionFault` if none can be made."""
        return await connect(self._address, timeout_s=self._connect_s)

    def give_back(self, connection: Connection) -> None:
        """Keep a connection for the next request, if it can take one; otherwise close it."""
        if connection.is_free and len(self._idle) < MAX_IDLE:
            self._idle.append((connection, self._clock.now()))
        else:
            connection.close()

    def close_idle(self, *, older_than_s: float = 0.0) -> None:
        """Close the free connections that have not been used for so long."""
        too_old = self._clock.now() - older_than_s
        kept = []
        for connection, since in self._idle:
            if connection.is_free and since > too_old:
                kept.append((connection, since))
            else:
                connection.close()
        self._idle = kept

    @staticmethod
    def _constant_head(host: str) -> bytes:
        """Return what the head of every request to it has in common, but for the key; made once."""
        lines = [
            b" HTTP/1.1",
            b"Host: " + host.encode(),
            b"User-Agent: vllm-gateway/" + __version__.encode(),
            b"Accept-Encoding: identity",
        ]
        return b"\r\n".join(lines) + b"\r\n"


def _authorization(key: bytes) -> bytes:
    """Return the line that carries a key."""
    return b"Authorization: Bearer " + key + b"\r\n"


class Pool:
    """All replicas."""

    def __init__(self, upstreams: Iterable[Upstream], *, clock: Clock, connect_s: float) -> None:
        numbers: dict[str, int] = {}
        replicas = []
        for upstream in upstreams:
            number = numbers[upstream.route] = numbers.get(upstream.route, 0) + 1
            replicas.append(Replica(f"{upstream.route}-{number}", upstream, clock=clock, connect_s=connect_s))
        self.replicas: Sequence[Replica] = tuple(replicas)
        self._now_at = 0.0

    def chosen(self, replica: Replica) -> None:
        """Move `replica` behind its equals: by a whole turn, or by less the more weight it has.

        A replica that was away does not get all the turns that it missed: it queues up where the others are now.
        """
        self._now_at = max(self._now_at, replica.turn)
        replica.turn = self._now_at + 1 / replica.weight

    def close(self) -> None:
        """Close every free connection."""
        for replica in self.replicas:
            replica.close_idle()
