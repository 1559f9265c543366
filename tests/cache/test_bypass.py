"""An answer that goes past the cache."""

import asyncio

from tests.cache.callers import Replica, Slow
from vllm_gateway.cache.bypass import BypassSink


async def test_it_says_so_and_changes_nothing_else() -> None:
    """All that a sink is told reaches the caller's."""
    inner, replica = Slow(1), Replica()
    sink = BypassSink(inner)
    sink.feed_from(replica)
    assert (sink.is_started, sink.is_gone) == (False, False)
    sink.start(200, [(b"a", b"b")])
    sink.write(b"x")
    sink.end()
    sink.cut()
    sink.drop()
    assert inner.headers == [(b"a", b"b"), (b"x-cache", b"bypass")]
    assert (inner.written, inner.is_ended, inner.is_cut, inner.is_dropped) == (b"x", True, True, True)
    assert (sink.is_started, replica.is_paused) == (True, True)
    done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    done.set_result(3)
    assert await sink.until(done) == 3
