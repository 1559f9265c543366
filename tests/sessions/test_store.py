"""The promise that every store keeps; the contract suite in `stores/` holds them to it."""

import inspect

from vllm_gateway.errors import Failure
from vllm_gateway.sessions.store import SessionTaken, Store, StoreFailed
from vllm_gateway.sessions.stores.memory import MemoryStore
from vllm_gateway.sessions.stores.redis import RedisStore
from vllm_gateway.sessions.stores.sql import SqlStore


def test_every_store_offers_the_same_operations() -> None:
    """Each has all of them with the parameters that the protocol names."""
    promised = {name: member for name, member in vars(Store).items() if inspect.isfunction(member) and name[0] != "_"}
    assert len(promised) > 10
    for store in (MemoryStore, SqlStore, RedisStore):
        for name, operation in promised.items():
            assert inspect.signature(getattr(store, name)) == inspect.signature(operation)


def test_a_store_that_is_away_is_a_failure_that_callers_may_see() -> None:
    """It has a status of its own; a session that is taken is for the gateway alone."""
    assert issubclass(StoreFailed, Failure)
    assert StoreFailed("x").status == 503
    assert not issubclass(SessionTaken, Failure)
