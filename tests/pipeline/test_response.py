"""Responses that are kept: what reaches the replica, and what is kept of it."""

from tests.gateway import gateway
from tests.scripted import MODEL, Visit, as_replica, scripted
from tests.wire.sims import asked, fast, fleet

RESPONSES = "/v1/responses"


async def test_a_body_that_keeps_nothing_passes_byte_for_byte() -> None:
    """Nothing of it is the gateway's to change."""
    body = b'{"model":"scripted",  "input":"Hi","store":false,"x":[1,2.50]}'
    seen: list[bytes] = []

    async def answer(visit: Visit, request: bytes) -> None:
        seen.append(request.partition(b"\r\n\r\n")[2])
        await visit.say_json(b'{"id":"resp_1"}')

    async with scripted(as_replica(answer)) as replica, gateway(replica.url) as door:
        await door.http.post(RESPONSES, content=body, headers={"content-type": "application/json"})
        assert (await door.http.get(f"{RESPONSES}/resp_1")).status_code == 404
    assert seen == [body]


async def test_what_is_kept_is_what_the_caller_saw() -> None:
    """With the response that it goes on from; the replica is told to keep nothing, and gets the whole conversation."""
    async with fleet() as ([sim], door):
        body = {"model": "sim-small", "input": "One", "max_output_tokens": 4}
        first = (await door.http.post(RESPONSES, json=body)).json()
        more = {**body, "input": "Two", "previous_response_id": first["id"]}
        second = (await door.http.post(RESPONSES, json=more)).json()
        kept = (await door.http.get(f"{RESPONSES}/{second['id']}")).json()
        sent = asked(sim, RESPONSES)[-1]
    assert kept == second
    assert second["previous_response_id"] == first["id"]
    assert (sent["store"], sent["previous_response_id"]) == (False, None)
    assert [item["role"] for item in sent["input"]] == ["user", "assistant", "user"]


async def test_an_answer_that_is_no_response_is_told_as_a_failure() -> None:
    """It could not be gone on from."""

    async def answer(visit: Visit, _: bytes) -> None:
        await visit.say_json(b'{"no": "id"}')

    async with scripted(as_replica(answer)) as replica, gateway(replica.url) as door:
        reply = await door.http.post(RESPONSES, json={"model": MODEL, "input": "Hi"})
    assert (reply.status_code, reply.json()["error"]["code"]) == (502, "upstream_error")


async def test_a_conversation_goes_on_where_it_was() -> None:
    """On the replica whose cache knows it."""
    async with fleet(*(fast() for _ in range(2))) as (sims, door):
        previous = None
        for _ in range(4):
            body = {"model": "sim-small", "input": "Hi", "max_output_tokens": 2, "previous_response_id": previous}
            previous = (await door.http.post(RESPONSES, json=body)).json()["id"]
        assert sorted(len(asked(sim, RESPONSES)) for sim in sims) == [0, 4]
