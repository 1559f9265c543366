"""What Prometheus is told: the numbers of all parts, of all workers, and those of the replicas."""

import asyncio
import platform
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import add

from vllm_gateway import __version__
from vllm_gateway.admission.keys.ring import Keys
from vllm_gateway.admission.limits.limiter import Limiter
from vllm_gateway.admission.turnstile import Turnstile
from vllm_gateway.serve.peers import Peers
from vllm_gateway.serve.told import Told
from vllm_gateway.sessions.store import Store
from vllm_gateway.telemetry.ledger import Ledger
from vllm_gateway.telemetry.metrics import definitions as of
from vllm_gateway.telemetry.metrics.replicas import ReplicaPages, together
from vllm_gateway.telemetry.metrics.requests import Requests
from vllm_gateway.telemetry.metrics.series import OTHER, Capped, Labels, Series, Snapshot, Value, merged, read
from vllm_gateway.telemetry.metrics.text import page
from vllm_gateway.upstream.health import State
from vllm_gateway.upstream.pool import Pool
from vllm_gateway.upstream.replica import Replica

MOST_BACKENDS = 500
_PATIENCE_S = 5.0
"""How long the other workers may take to tell; one that does not is told of by what it told last."""
_READ_AT_ONCE = 2
"""Pages of replicas that are read in one go, which takes three or four milliseconds. On a busy gateway each turn of
everything else takes longer than that, so many small goes would make a scrape slow."""
_REDIS_ERRORS = "redis_errors"


@dataclass(frozen=True, slots=True)
class Measured:
    """The parts that know numbers."""

    ledger: Ledger
    pool: Pool
    turnstile: Turnstile[Replica]
    limiter: Limiter
    keys: Keys
    sessions: Store


class Scraping:
    """Gathers the numbers when somebody asks for them."""

    def __init__(self, parts: Measured, *, includes_replicas: bool) -> None:
        self.includes_replicas = includes_replicas
        """The replicas' own series are in the page."""
        self._parts = parts
        self._requests = Requests()
        parts.ledger.seen.append(self._requests.see)
        self._pages = ReplicaPages()
        self._backends = Capped(MOST_BACKENDS)
        self._names: dict[str, str] = {}
        """What keys are called, or were when they were last known."""
        self._peers: Peers | None = None
        self._told: Told | None = None

    def join(self, peers: Peers, told: Told) -> None:
        """Tell of other workers as well from now on."""
        self._peers, self._told = peers, told

    async def page(self) -> bytes:
        """Return the page as of now."""
        snapshots = [self.told()]
        if self._peers is not None and self._told is not None:
            others = await self._peers.ask_each({"do": "metrics"}, within_s=_PATIENCE_S)
            snapshots += [read(each) for each in others.values()]
            snapshots += self._told.of_absent(set(others))
        own = page(merged(snapshots))
        return own + await self._of_replicas() if self.includes_replicas else own

    def told(self) -> Snapshot:
        """Return what this process has counted, and write it down where there are others."""
        own = self._requests.snapshot() | self._of_parts() | self._of_pool()
        for metric in (of.KEY_REQUESTS, of.KEY_TOKENS):
            own[metric.name] = self._named(own[metric.name])
        own[of.BUDGET_USED.name] = self._named(own[of.BUDGET_USED.name], together=max)
        return own if self._told is None else self._told.tell(own)

    def _of_parts(self) -> Snapshot:
        parts = self._parts
        limits = parts.limiter.counters
        stores: dict[Labels, Value] = {
            ("keys",): parts.keys.faults,
            ("limits",): limits[_REDIS_ERRORS],
            ("sessions",): parts.sessions.faults,
        }
        return {
            of.BUILD_INFO.name: {(__version__, platform.python_version()): 1},
            of.WORKERS.name: {(): 1},
            of.INFLIGHT.name: {(): len(parts.ledger.live)},
            of.QUEUE_DEPTH.name: {(): parts.turnstile.waiting},
            of.LIMITER.name: {(name,): count for name, count in limits.items() if name != _REDIS_ERRORS},
            of.STORE_ERRORS.name: stores,
        }

    def _of_pool(self) -> Snapshot:
        replicas, tally = self._parts.pool.replicas, self._parts.pool.tally
        return {
            of.ATTEMPTS.name: self._by_backend(tally.attempts),
            of.EJECTIONS.name: self._by_backend(tally.ejections),
            of.RESUMES.name: {(outcome, reason): count for (outcome, reason), count in tally.resumes.items()},
            of.HEDGES.name: {(name,): count for name, count in tally.hedges.items()},
            of.BACKEND_UP.name: {(each.name,): int(each.is_usable) for each in replicas[:MOST_BACKENDS]},
            of.BACKEND_INFLIGHT.name: {(each.name,): each.outstanding for each in replicas[:MOST_BACKENDS]},
            of.BREAKER.name: {
                (each.name, state.value): int(each.health.state is state)
                for each in replicas[:MOST_BACKENDS]
                for state in State
            },
        }

    def _by_backend(self, counts: Mapping[tuple[str, str], int]) -> dict[Labels, Value]:
        found: Counter[Labels] = Counter()
        for (name, what), count in counts.items():
            found[self._backends.label(name), what] += count
        return dict(found)

    def _named(self, series: Series, together: Callable[[float, float], float] = add) -> dict[Labels, Value]:
        """Return series of keys under their names; of two keys with one name, what both have come to `together`."""
        names, found = self._parts.keys.names, dict[Labels, Value]()
        for (key, *others), value in series.items():
            if key in names and key != OTHER:
                self._names[key] = names[key]
            labels = (self._names.get(key, key), *others)
            before = found.get(labels, 0)
            if not isinstance(value, list) and not isinstance(before, list):
                found[labels] = together(before, value)
        return found

    async def _of_replicas(self) -> bytes:
        """Return the replicas' own series; everything else has its turn in between, as often as something was read."""
        replicas = self._parts.pool.replicas
        self._pages.keep(replica.name for replica in replicas)
        found, fresh = [], 0
        for replica in replicas:
            fresh += not self._pages.has_read(replica.name, replica.page)
            found.append(self._pages.read(replica.name, replica.page))
            if fresh == _READ_AT_ONCE:
                fresh = 0
                await asyncio.sleep(0)
        return together(found)
