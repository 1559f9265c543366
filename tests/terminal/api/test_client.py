"""Questions to a real gateway with the embedded engine behind it."""

from contextlib import aclosing

import pytest

from tests.scripted import Visit, scripted
from tests.terminal.conftest import house
from tests.waiting import until
from vllm_gateway.terminal.api import Client, Refused, StreamBroken, Target, Unreachable

QUESTION = {"model": "sim-small", "messages": [{"role": "user", "content": "Hello"}], "stream": True}


async def test_a_gateway_is_asked_and_answers() -> None:
    """JSON comes back as values, and a stream as its events up to the end."""
    async with house() as home:
        client = home.client
        assert "sim-small" in [row["id"] for row in (await client.get("/v1/models"))["data"]]
        session = await client.post("/v1/sessions", {"title": "First"})
        assert (await client.ask("DELETE", f"/v1/sessions/{session['id']}"))["deleted"] is True
        events = [event async for event in client.stream("/v1/chat/completions", QUESTION | {"max_tokens": 5})]
        assert events[-1]["choices"][0]["finish_reason"] == "length"


async def test_leaving_a_stream_stops_the_model() -> None:
    """When the generator is closed, the replica works no longer."""
    async with house(itl_ms=50) as home:
        stream = home.client.stream("/v1/chat/completions", QUESTION | {"max_tokens": 1000})
        async with aclosing(stream) as events:
            async for _ in events:
                break
            assert home.sim.engine.scheduler.running
        await until(lambda: not home.sim.engine.scheduler.running, within_s=20)


async def test_a_refusal_is_raised_before_and_inside_a_stream() -> None:
    """Whether it is the status or an event that says no, the guest reads the gateway's sentence."""
    async with house() as home:
        client = home.client
        with pytest.raises(Refused, match="no-such-model") as refusal:
            await client.post("/v1/chat/completions", QUESTION | {"model": "no-such-model"})
        assert (refusal.value.status, refusal.value.code) == (404, "model_not_found")
        home.sim.faults.add(["reset@3"])
        with pytest.raises(Refused) as cut:
            async for _ in client.stream("/v1/chat/completions", QUESTION):
                pass
        assert cut.value.code == "upstream_interrupted"


@pytest.mark.parametrize("event", [b"data: [1]\n\n", b"data: {\n\n", b"", b"data: {}\n"])
async def test_a_stream_without_its_end_is_broken(event: bytes) -> None:
    """Only `[DONE]` ends an answer; what is no event, and an answer that just stops, is told."""

    async def play(visit: Visit) -> None:
        await visit.request()
        await visit.say_stream_head()
        await visit.say_events(*([event] if event else []), is_last=True)

    async with scripted(play) as server:
        with pytest.raises(StreamBroken):
            async for _ in Client(Target.at(f"127.0.0.1:{server.port}")).stream("/v1/x", {}):
                pass


async def test_a_page_that_is_no_json_is_no_gateway() -> None:
    """Some other server at the address is told as that."""

    async def play(visit: Visit) -> None:
        await visit.request()
        await visit.say_json(b"<html>")

    async with scripted(play) as server:
        with pytest.raises(Unreachable, match="is no vllm-gateway"):
            await Client(Target.at(f"127.0.0.1:{server.port}")).get("/")
