"""Queries of death: a request that took two replicas down with it is not sent to a third."""

from collections import OrderedDict
from hashlib import blake2b
from typing import NamedTuple, TypeVar

from vllm_gateway.clock import Clock

MOST_SUSPECTS = 1024
"""Those that were suspected longest ago are forgotten first."""
FORGOTTEN_AFTER_S = 600.0
"""The engine may have been repaired since."""
_TOGETHER_S = 2.0
"""Replicas that go away within this time may have one cause: a machine, a network, a deployment."""
_DIGEST_BYTES = 16

T = TypeVar("T")


class _Death(NamedTuple):
    """A replica that went away."""

    replica_name: str
    exchange_id: str
    at: float

    def is_second_after(self, other: "_Death") -> bool:
        """Say whether both together speak against the request: one may have died of anything."""
        is_another = self.replica_name != other.replica_name
        return is_another and (self.exchange_id == other.exchange_id or self.at - other.at > _TOGETHER_S)


class Quarantine:
    """The requests that were being answered when a replica went away, by the hash of their bodies."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._suspects: OrderedDict[bytes, tuple[float, frozenset[_Death]]] = OrderedDict()
        """When each was suspected last, and the replicas that went away."""
        self._banned: OrderedDict[bytes, float] = OrderedDict()
        """Those that took too many of them down, and when: hardly ever any, so that hardly ever anything is hashed."""

    def suspect(self, body: bytes, replica_name: str, exchange_id: str = "") -> None:
        """Take note that a replica went away while it was answering a request with this body.

        When replicas go away together, each under a request of its own, it is not for what was asked.
        """
        digest, now = _digest(body), self._clock.now()
        since, before = self._suspects.pop(digest, (now, frozenset[_Death]()))
        death = _Death(replica_name, exchange_id, now)
        deaths = before | {death} if now - since < FORGOTTEN_AFTER_S else frozenset({death})
        _keep(self._suspects, digest, (now, deaths))
        if any(death.is_second_after(each) for each in deaths):
            self._banned.pop(digest, None)
            _keep(self._banned, digest, now)

    def acquit(self, body: bytes) -> None:
        """Take note that a request with this body was answered: whatever a replica died of, it was not this."""
        while self._suspects:
            oldest, (since, _) = next(iter(self._suspects.items()))
            if self._clock.now() - since < FORGOTTEN_AFTER_S:
                digest = _digest(body)
                self._suspects.pop(digest, None)
                self._banned.pop(digest, None)
                return
            del self._suspects[oldest]

    def is_banned(self, body: bytes) -> bool:
        """Say whether a request with this body has taken too many replicas down; costs nothing while none has."""
        while self._banned:
            digest, since = next(iter(self._banned.items()))
            if self._clock.now() - since < FORGOTTEN_AFTER_S:
                return _digest(body) in self._banned
            del self._banned[digest]
        return False


def _keep(kept: OrderedDict[bytes, T], digest: bytes, value: T) -> None:
    """Add the newest, and forget the oldest when there are too many."""
    kept[digest] = value
    if len(kept) > MOST_SUSPECTS:
        kept.popitem(last=False)


def _digest(body: bytes) -> bytes:
    return blake2b(body, digest_size=_DIGEST_BYTES).digest()
