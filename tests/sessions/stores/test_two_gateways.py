"""Two gateways over one store, asked by HTTP as clients ask them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from tests.gateway import Gateway, gateway
from tests.sessions.stores.places import Place
from tests.wire.sims import fast
from tests.wire.talking import history, new, say, state
from vllm_gateway.sim import start


@asynccontextmanager
async def two_gateways(place: Place) -> AsyncIterator[tuple[Gateway, Gateway]]:
    """Run two gateways over one place and one replica."""
    session = {"backend": place.backend} | ({"path": place.address} if place.backend == "sqlite" else {})
    names = {"postgres": "database_url", "redis": "redis_url"}
    state_of = {names[place.backend]: place.address} if place.backend in names else {}
    async with AsyncExitStack() as stack:
        sim = await start(fast())
        stack.push_async_callback(sim.close)
        doors = [await stack.enter_async_context(gateway(sim.url, session=session, state=state_of)) for _ in range(2)]
        yield doors[0], doors[1]


async def test_turns_of_one_session_through_two_gateways_are_all_kept_in_order(lasting_place: Place) -> None:
    """D-08: ten turns at once, half of them through each: all answered, none lost, none within another."""
    async with two_gateways(lasting_place) as doors:
        session_id = await new(doors[0])
        words = [f"word-{number}" for number in range(10)]
        replies = await asyncio.gather(*(say(doors[number % 2], session_id, word) for number, word in enumerate(words)))
        answers = {
            word: reply.json()["choices"][0]["message"]["content"] for word, reply in zip(words, replies, strict=True)
        }
        said = await history(doors[1], session_id)
        turns = (await state(doors[0], session_id))["turns"]
    assert [reply.status_code for reply in replies] == [200] * 10
    assert turns == 10
    assert sorted(text for role, text in said if role == "user") == sorted(words)
    pairs = [(said[at][1], said[at + 1]) for at in range(0, len(said), 2)]
    assert all(answer == ("assistant", answers[word]) for word, answer in pairs)


async def test_a_response_goes_on_through_another_gateway(lasting_place: Place) -> None:
    """What one gateway has kept the other goes on from, reads and deletes."""
    async with two_gateways(lasting_place) as (one, other):
        body = {"model": "sim-small", "input": "First", "max_output_tokens": 8}
        first = (await one.http.post("/v1/responses", json=body)).json()
        more = {**body, "input": "Second", "previous_response_id": first["id"]}
        second = (await other.http.post("/v1/responses", json=more)).json()
        assert second["previous_response_id"] == first["id"]
        assert second["usage"]["input_tokens"] > first["usage"]["input_tokens"] + 8
        assert (await one.http.get(f"/v1/responses/{second['id']}")).json() == second
        assert (await other.http.delete(f"/v1/responses/{first['id']}")).status_code == 200
        assert (await one.http.get(f"/v1/responses/{first['id']}")).status_code == 404


async def test_a_turn_waits_for_the_one_of_another_gateway(lasting_place: Place) -> None:
    """A session that another gateway holds is free when that one has let go, and the turn that waited goes on."""
    async with two_gateways(lasting_place) as (one, other):
        session_id = await new(one)
        store = lasting_place.open()
        held = await store.begin(session_id, "somebody", 1.0, lease_s=4_000_000_000.0)
        waiting = asyncio.get_running_loop().create_task(say(other, session_id, "Hello"))
        await asyncio.sleep(0.3)
        assert held is not None
        assert not waiting.done()
        await store.abandon(session_id, "somebody")
        assert (await waiting).status_code == 200
