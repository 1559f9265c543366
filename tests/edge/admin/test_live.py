"""What goes on now."""

from pathlib import Path

from tests.edge.admin.desk import desk
from tests.exchanges import exchange
from vllm_gateway.callers import Caller
from vllm_gateway.dialects.sse import Marks, Sighting, StreamWatch
from vllm_gateway.edge.admin.live import request_object
from vllm_gateway.errors import RequestStopped
from vllm_gateway.exchange import Usage
from vllm_gateway.outcomes import Outcome


async def test_a_request_under_way_is_told_without_its_words(tmp_path: Path) -> None:
    """Who asks for what, where, and for how long; neither its content nor its headers nor its caller's address."""
    async with desk(tmp_path) as one:
        asking = exchange(body=b'{"messages":["canary"]}')
        asking.headers = [(b"authorization", b"Bearer canary")]
        asking.body = b'{"messages":["canary"]}'
        asking.target = asking.address = "canary"
        asking.caller = Caller("key-1", upstream_key=b"canary")
        asking.model, asking.replica, asking.attempts = "a", "big-1", 2
        one.ledger.open(asking)
        one.clock.move(1.5)
        reply = await one.http.get("/admin/requests")
        assert reply.json()["data"] == [
            {
                "id": "request-1",
                "object": "request",
                "path": "/v1/chat/completions",
                "model": "a",
                "replica": "big-1",
                "caller": "key-1",
                "seconds": 1.5,
                "attempts": 2,
                "status": None,
                "stream": False,
                "resumed": 0,
                "tokens": None,
            }
        ]
        assert "canary" not in reply.text
        one.ledger.close(asking, Outcome.OK)
        assert (await one.http.get("/admin/requests")).json() == {"object": "list", "data": []}


async def test_what_a_stream_has_come_to_is_told_where_the_replica_tells_it() -> None:
    """Usage with every event says it; otherwise events are counted, where they are kept."""
    asking = exchange()
    asking.watch = watch = StreamWatch(Marks((), b"", lambda _: Sighting()))
    assert request_object(asking, 1)["tokens"] is None
    asking.events_so_far = lambda: 6
    assert request_object(asking, 1)["tokens"] == 6
    watch.usage = Usage(5, 7)
    assert request_object(asking, 1)["tokens"] == 7


async def test_requests_are_stopped_by_id(tmp_path: Path) -> None:
    """All of that id are, because callers choose ids; the task is cancelled, and why is noted. Others go on."""
    async with desk(tmp_path) as one:
        stopped = [exchange(request_id="request-a"), exchange(request_id="request-a")]
        other = exchange(request_id="request-b")
        for each in (*stopped, other):
            one.ledger.open(each)
        assert (await one.http.delete("/admin/requests/request-c")).status_code == 404
        reply = await one.http.delete("/admin/requests/request-a")
        assert [each["id"] for each in reply.json()["data"]] == ["request-a", "request-a"]
        assert [type(each.stopped_by) for each in (*stopped, other)] == [RequestStopped, RequestStopped, type(None)]
