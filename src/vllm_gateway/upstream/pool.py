"""All replicas: who came, who went, whose turn it is."""

import itertools
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from vllm_gateway.clock import Clock
from vllm_gateway.settings.model import Upstream
from vllm_gateway.upstream.replica import ADDED, CONFIGURED, Replica
from vllm_gateway.upstream.resolving import Resolved
from vllm_gateway.upstream.tally import Tally

log = logging.getLogger(__name__)

Place = tuple[str, str, str | None]
"""What makes a replica the same one after a change of the settings: its route, and where it is."""


@dataclass(frozen=True, slots=True)
class Change:
    """What became of replicas."""

    added: tuple[Replica, ...] = ()
    removed: tuple[Replica, ...] = ()
    altered: tuple[Replica, ...] = ()
    """They stayed, and may be asked more or less than before."""


class Pool:
    """All replicas.

    `replicas` is never changed but replaced: whoever holds one tuple of it may take its time.
    """

    def __init__(self, upstreams: Iterable[Upstream] = (), *, clock: Clock, connect_s: float) -> None:
        self.replicas: Sequence[Replica] = ()
        self.told: list[Callable[[Change], None]] = []
        """Are told of every change, when it has been made."""
        self.tally = Tally()
        """What its replicas have come to, those that are gone included."""
        self._connect_s = connect_s
        self._clock = clock
        self._gone: list[Replica] = []
        """Removed, and perhaps still answering: their names are taken."""
        self._now_at = 0.0
        self.follow(CONFIGURED, upstreams)

    def find(self, name: str) -> Replica | None:
        """Return the replica of this name."""
        return next((replica for replica in self.replicas if replica.name == name), None)

    def add(self, upstream: Upstream, *, source: str = ADDED) -> Replica:
        """Let one replica more come; it is asked nothing before it was looked at."""
        (replica,) = self._come(source, [upstream])
        return replica

    def remove(self, name: str) -> Replica | None:
        """Let a replica go, and return it; None when there is none of this name."""
        replica = self.find(name)
        if replica is not None:
            self._change(Change(removed=(replica,)))
        return replica

    def drain(self, name: str, *, is_draining: bool = True) -> Replica | None:
        """Ask a replica nothing new, or ask it again; return it, or None when there is none of this name."""
        replica = self.find(name)
        if replica is not None and replica.is_draining is not is_draining:
            replica.is_draining = is_draining
            log.info("replica %s %s", name, "gets nothing new" if is_draining else "is asked again")
            self._tell(Change(altered=(replica,)))
        return replica

    def connect_within(self, connect_s: float) -> None:
        """Let connecting to a replica take so many seconds from now on."""
        self._connect_s = connect_s
        for replica in self.replicas:
            replica.connect_s = connect_s

    def prepare(self, source: str, upstreams: Iterable[Upstream]) -> tuple[Replica, ...]:
        """Let those come that `follow` would add, so that they are known before the others go."""
        _, missing = self._matched(source, upstreams)
        return self._come(source, missing) if missing else ()

    def follow(self, source: str, upstreams: Iterable[Upstream]) -> Change:
        """Make the replicas of one source those that are wanted; replicas of other sources stay.

        One that stays where it is keeps its name, its connections and all that is known of it; the rest of what the
        settings say of it is taken over.
        """
        kept, missing = self._matched(source, upstreams)
        for replica, upstream in kept:
            replica.take(upstream)
        stay = {id(replica) for replica, _ in kept}
        removed = tuple(each for each in self.replicas if each.source == source and id(each) not in stay)
        altered = tuple(replica for replica, _ in kept)
        return self._change(Change(self._made(source, missing, leaving=removed), removed, altered))

    def chosen(self, replica: Replica) -> None:
        """Move `replica` behind its equals: by a whole turn, or by less the more weight it has.

        A replica that was away does not get all the turns that it missed: it queues up where the others are now.
        """
        if replica.turn > self._now_at:  # noqa: PLR1730 - a call for each request is too many
            self._now_at = replica.turn
        replica.turn = self._now_at + 1 / replica.weight

    def close(self) -> None:
        """Close every free connection."""
        for replica in self.replicas:
            replica.close_idle()

    def _matched(
        self, source: str, upstreams: Iterable[Upstream]
    ) -> tuple[list[tuple[Replica, Upstream]], list[Upstream]]:
        """Return the replicas that are already there, with what is wanted of them now, and what is missing."""
        there: dict[Place, list[Replica]] = {}
        for replica in self.replicas:
            if replica.source == source:
                there.setdefault(_place(replica), []).append(replica)
        kept, missing = [], []
        for upstream in upstreams:
            same = there.get(_place(upstream))
            if same:
                kept.append((same.pop(0), upstream))
            else:
                missing.append(upstream)
        return kept, missing

    def _come(self, source: str, upstreams: Iterable[Upstream]) -> tuple[Replica, ...]:
        return self._change(Change(added=self._made(source, upstreams))).added

    def _made(
        self, source: str, upstreams: Iterable[Upstream], *, leaving: Sequence[Replica] = ()
    ) -> tuple[Replica, ...]:
        """Make replicas, each with the lowest number of its route that is free."""
        self._gone = [replica for replica in self._gone if replica.outstanding]
        staying = [each for each in self.replicas if each.outstanding or each not in leaving]
        taken = {replica.name for replica in (*staying, *self._gone)}
        made = []
        for upstream in upstreams:
            name = next(name for n in itertools.count(1) if (name := f"{upstream.route}-{n}") not in taken)
            taken.add(name)
            replica = Replica(name, upstream, clock=self._clock, connect_s=self._connect_s, tally=self.tally)
            replica.source = source
            made.append(replica)
        return tuple(made)

    def _change(self, change: Change) -> Change:
        if change.added or change.removed:
            self.replicas = (*(each for each in self.replicas if each not in change.removed), *change.added)
        for replica in change.added:
            log.debug("replica %s was added", replica.name)  # that it is in is told when it is
        for replica in change.removed:
            replica.leave()
            log.info("replica %s was removed; it finishes %d requests", replica.name, replica.outstanding)
        self._gone += change.removed
        self._tell(change)
        return change

    def _tell(self, change: Change) -> None:
        for tell in self.told:
            tell(change)


def _place(one: Replica | Upstream) -> Place:
    ip = one.ip if isinstance(one, Replica | Resolved) else None
    return one.route, one.url.removesuffix("/v1"), ip
