"""What goes on now."""

from pathlib import Path

from tests.edge.admin.desk import desk
from tests.exchanges import exchange
from vllm_gateway.callers import Caller
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
            }
        ]
        assert "canary" not in reply.text
        one.ledger.close(asking, Outcome.OK)
        assert (await one.http.get("/admin/requests")).json() == {"object": "list", "data": []}
