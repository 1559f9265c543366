"""A request is stopped by whoever runs the gateway."""

import contextlib

import httpx2

from tests.waiting import until
from tests.wire.operated import operated
from tests.wire.sims import fast
from vllm_gateway.tasks import Tasks

LONG = {"model": "sim-small", "messages": [{"role": "user", "content": "Go on for ever."}], "max_tokens": 4000}


async def test_a_stream_that_is_stopped_ends_with_an_error_event() -> None:
    """Its caller is told so, its replica stops too, and the list of what is under way is empty again."""
    async with operated(fast(itl_ms=20), fast(itl_ms=20)) as one:
        headers = {"x-request-id": "request-to-stop"}
        asking = {**LONG, "stream": True}
        async with one.door.http.stream("POST", "/v1/chat/completions", json=asking, headers=headers) as reply:
            text = reply.aiter_text()
            seen = await anext(text)
            assert "error" not in seen
            rows = (await one.admin.get("/admin/requests")).json()["data"]
            assert [(each["id"], each["stream"]) for each in rows] == [("request-to-stop", True)]
            assert rows[0]["tokens"] > 0
            stopped = await one.admin.delete("/admin/requests/request-to-stop")
            assert [each["id"] for each in stopped.json()["data"]] == ["request-to-stop"]
            with contextlib.suppress(httpx2.RemoteProtocolError):  # there is no final chunk: it is not complete
                async for piece in text:
                    seen += piece
        assert "request_stopped" in seen
        assert "[DONE]" not in seen
        await until(lambda: not any(sim.engine.scheduler.running for sim in one.sims))
        assert (await one.admin.get("/admin/requests")).json()["data"] == []


async def test_a_request_that_is_stopped_before_its_answer_gets_a_status_at_which_nobody_tries_again() -> None:
    """403: a client's library would send the same again at once after 5xx."""
    async with operated(fast(itl_ms=20)) as one:
        tasks = Tasks("test")
        headers = {"x-request-id": "request-to-stop"}
        asked = tasks.start(one.door.http.post("/v1/chat/completions", json=LONG, headers=headers), name="asks")
        await until(lambda: any(each.attempts for each in one.door.parts.ledger.live.values()))
        assert (await one.admin.delete("/admin/requests/request-to-stop")).status_code == 200
        reply = await asked
        assert (reply.status_code, reply.json()["error"]["code"]) == (403, "request_stopped")
        assert (await one.admin.delete("/admin/requests/request-to-stop")).status_code == 404
        recent = (await one.admin.get("/admin/recent")).json()
        assert [(each["id"], each["outcome"]) for each in recent["notable"]] == [("request-to-stop", "auth")]
