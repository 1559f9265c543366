"""One replica: where it is, what it serves, how it does, and the connections that are kept open to it."""

import logging
import math
import re
import ssl
from functools import cache
from typing import Any
from urllib.parse import SplitResult, urlsplit

from vllm_gateway import __version__
from vllm_gateway.clock import Clock
from vllm_gateway.settings.model import Upstream
from vllm_gateway.upstream.connection import Address, Connection, ConnectionFault, connect
from vllm_gateway.upstream.health import EJECTING, Health, Sign, State
from vllm_gateway.upstream.pace import Pace
from vllm_gateway.upstream.progress import Progress
from vllm_gateway.upstream.resolving import Lookup, Resolved, is_literal
from vllm_gateway.upstream.tally import Tally

log = logging.getLogger(__name__)

CONFIGURED = "configured"
"""Source of the replicas that the settings name."""
ADDED = "added"
"""Source of those that were added by hand while the gateway runs."""
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

    pace = Pace()
    """How busy it is and how fast, by its own count."""
    page = b""
    """Its own metrics, as of the last look; empty where it tells none."""
    is_yielding = False
    """Another one on its accelerator is to be awake next: it takes nothing new until its turn comes again."""

    def __init__(  # noqa: PLR0915 - no steps, but a list of what is known
        self, name: str, upstream: Upstream, *, clock: Clock, connect_s: float, tally: Tally | None = None
    ) -> None:
        self.name = name
        """Names it in `/v1/models`, in health and in the log; says nothing of where it is."""
        self.route = upstream.route
        self.source = CONFIGURED
        """Who named it: the settings, a discovery, or whoever runs the gateway."""
        self.is_removed = False
        """It belongs to the pool no more; what it is answering goes on."""
        self.models: dict[str, dict[str, Any]] = {}
        """What it said it serves: the rows of its own `/v1/models` by id, as it wrote them."""
        self.latency_s: float | None = None
        """How long it took to list its models last time."""
        self.health = Health()
        self.ejecting = EJECTING
        """How long it stays out when it fails."""
        self.is_in_panic = False
        """Too few of its route are well: it is asked although it is out for failed answers."""
        self.progress = Progress()
        """How it gets on, by its own count."""
        self.is_known = False
        """It has been probed at least once, whatever came of it."""
        self.outstanding = 0
        """Requests that it is answering for this gateway now."""
        self.work = 0.0
        """What they weigh together, in requests of ordinary size."""
        self.others = 0
        """Requests inside it that this gateway did not send, by its last look."""
        self.is_draining = False
        """It gets nothing new; what it is answering goes on."""
        self.is_sleeping = False
        """Its weights are not on the accelerator; it answers nothing until it is woken."""
        self.patience_until = 0.0
        """It asked not to be asked again before this time (`Retry-After`), on the gateway's clock."""
        self.fingerprints: dict[str, str] = {}
        """`system_fingerprint` of its answers by model, as far as one was seen since it came in."""
        self.version = ""
        """Its version of vLLM; empty where it does not tell."""
        self.turn = 0.0
        """Its place in the order of those that are equally busy: the lowest comes next."""
        self.learned_outstanding = math.inf
        """So many by what its own waiting line said last."""
        self.returns = 0
        """How often it came (back) in; between two times it may have become another model."""
        self.lacks: set[str] = set()
        """Routes that it turned out not to offer."""
        self._tally = Tally() if tally is None else tally
        self._clock = clock
        self.connect_s = connect_s
        """Seconds that connecting to it may take."""
        self._idle: list[tuple[Connection, float]] = []
        where = urlsplit(upstream.root)
        self.ip = upstream.ip if isinstance(upstream, Resolved) else None
        """Its own address, where its name stands for several servers."""
        self._address = _address(where, self.ip)
        self._lookup = None if self.ip or is_literal(self._address.host) else Lookup(self._address.host, clock=clock)
        self._path = where.path.rstrip("/").encode()
        self._keyless_head = self._constant_head(where.netloc)
        self.take(upstream)

    def take(self, upstream: Upstream) -> None:
        """Take over what the settings say of it; all of that may change while it answers, but not where it is."""
        self.url = upstream.url
        """Where it is; for whoever runs the gateway only."""
        self.weight = upstream.weight
        self.tokenizer_path = upstream.tokenizer_path
        """Folder of its model's tokenizer, where there is one on this machine."""
        self.takes_priority = upstream.priority_scheduling
        """It looks at the `priority` of requests, and refuses none for having one."""
        self.max_outstanding = upstream.max_concurrent or math.inf
        """So many requests it is sent at once by the settings."""
        self.wakes_on_request = upstream.wake_on_request
        """A request may wake it."""
        self.accelerator = upstream.accelerator
        """What it shares with others, one of which is awake; None: nothing."""
        self.key = upstream.api_key.get_secret_value().encode() if upstream.api_key is not None else b""
        """What it is asked with; empty where it wants none."""
        self._head = self._keyless_head + (_authorization(self.key) if self.key else b"")

    def leave(self) -> None:
        """Belong to the pool no more: nothing new is asked, what it is answering goes on."""
        self.is_removed = self.is_draining = True
        self.close_idle()

    @property
    def is_usable(self) -> bool:
        """It may be asked now."""
        health = self.health
        return (health.is_usable or (self.is_in_panic and health.is_doubtful)) and self.is_available

    @property
    def is_available(self) -> bool:
        """Nothing but its health can forbid to ask it: it is neither draining nor asleep for good."""
        return not self.is_draining and (not self.is_sleeping or self.wakes_on_request)

    @property
    def is_awake(self) -> bool:
        """It answers at once what it is asked."""
        return not self.is_sleeping and not self.is_yielding

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
        if not self.health.failures and sign is Sign.ANSWERED:
            return  # by far the most common, and nothing new
        before = self.health
        self.health = after = before.after(sign, self._clock.now(), self.ejecting)
        if after.state is State.OPEN and after.failures > before.failures:
            self._forget()
        if after.state is before.state:
            return
        if after.state is State.OPEN:
            self._tally.ejections[self.name, sign.name.lower()] += 1
            log.warning("replica %s is out for %g s: %s", self.name, after.ejected_s, sign.name.lower())
        else:
            self.returns += before.state is State.OPEN
            log.info("replica %s is %s", self.name, "in" if after.state is State.CLOSED else "being tried again")

    def stands_still(self) -> bool:
        """Say whether it is out because it makes no tokens, although requests are running."""
        return self.health.state is State.OPEN and self.health.cause is Sign.STALLED

    def asked(self) -> bool:
        """Take note that a request is about to be sent; say whether it is the one that tries a replica that was out.

        While such a one is under way there is no other. It ends with a sign, or else with `unasked`.
        """
        before = self.health
        if before.is_closed:
            return False
        self.health = before.tried()
        return self.health is not before

    def unasked(self) -> None:
        """Take note that the request that tries it is over; another one may try if it brought no sign."""
        self.health = self.health.untried()

    def _forget(self) -> None:
        """Forget what was true of it so far: it may come back as another program."""
        self.lacks.clear()
        self.patience_until = 0.0
        self.fingerprints.clear()
        self.version = ""

    def request(
        self, method: bytes, path: str, headers: bytes = b"", body: bytes = b"", *, callers_key: bytes = b""
    ) -> bytes:
        """Return the bytes of a request to it; `headers` are whole lines.

        It carries the replica's key of the settings, or in its place `callers_key`; never both.

        Raises:
            ValueError: no header can hold `callers_key`.
        """
        head = self._head
        if callers_key:
            if not is_sendable(callers_key):
                raise ValueError("A caller's key must have visible ASCII characters only.")
            head = self._keyless_head + _authorization(callers_key)
        length = b"Content-Length: %d\r\n" % len(body) if body else b""
        return b"%b %b%b%b%b%b\r\n%b" % (method, self._path, path.encode(), head, headers, length, body)

    def take_idle(self, now: float) -> Connection | None:
        """Return an open connection that nobody uses; None when there is none."""
        while self._idle:
            connection, since = self._idle.pop()
            if connection.is_free and since > now - IDLE_S:
                return connection
            connection.close()
        return None

    async def checkout(self) -> Connection:
        """Return a free connection, an open one if there is one; raise `ConnectionFault` if none can be made."""
        return self.take_idle(self._clock.now()) or await self.connect()

    async def connect(self) -> Connection:
        """Return a connection on which nothing was ever sent; raise `ConnectionFault` if none can be made."""
        if self._lookup is None:
            return await connect(self._address, timeout_s=self.connect_s)
        try:
            return await connect(self._address, timeout_s=self.connect_s, find=self._lookup.addresses)
        except ConnectionFault:
            self._lookup.forget_soon()  # its name may stand for another address by now
            raise

    def give_back(self, connection: Connection) -> None:
        """Keep a connection for the next request, if it can take one; otherwise close it."""
        if connection.is_free and len(self._idle) < MAX_IDLE and not self.is_removed:
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


def _address(where: SplitResult, ip: str | None) -> Address:
    is_tls = where.scheme == "https"
    port = where.port or (443 if is_tls else 80)
    return Address(host=where.hostname or "", port=port, tls=_tls() if is_tls else None, ip=ip)


@cache
def _tls() -> ssl.SSLContext:
    """Return what connections to replicas are checked with; to read all certificates takes long, so it is done once."""
    return ssl.create_default_context()


def _authorization(key: bytes) -> bytes:
    """Return the line that carries a key."""
    return b"Authorization: Bearer " + key + b"\r\n"
