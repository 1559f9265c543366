"""Queries of death: a request that took two replicas down with it is not sent to a third."""

from collections import OrderedDict
from hashlib import blake2b
from typing import TypeVar

from vllm_gateway.clock import Clock

MOST_SUSPECTS = 1024
"""Those that were suspected longest ago are forgotten first."""
FORGOTTEN_AFTER_S = 600.0
"""The engine may have been repaired since."""
_DEATHS = 2
"""One replica may have died of anything; a second one at the same request did not."""
_DIGEST_BYTES = 16

T = TypeVar("T")


class Quarantine:
    """The requests that were being answered when a replica went away, by the hash of their bodies."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._suspects: OrderedDict[bytes, tuple[float, frozenset[str]]] = OrderedDict()
        """When each was suspected last, and the replicas that went away."""
        self._banned: OrderedDict[bytes, float] = OrderedDict()
        """Those that took too many of them down, and when: hardly ever any, so that hardly ever anything is hashed."""

    def suspect(self, body: bytes, replica_name: str) -> None:
        """Take note that a replica went away while it was answering a request with this body."""
        digest, now = _digest(body), self._clock.now()
        since, names = self._suspects.pop(digest, (now, frozenset[str]()))
        names = names | {replica_name} if now - since < FORGOTTEN_AFTER_S else frozenset({replica_name})
        _keep(self._suspects, digest, (now, names))
        if len(names) >= _DEATHS:
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
