"""Kept responses: what cannot be asked of them. The rest is tested over the wire."""

from tests.wire.sims import fleet

BODY = {"model": "sim-small", "input": "Hi", "max_output_tokens": 2}


async def test_what_is_not_offered_is_refused_clearly() -> None:
    """A stored response cannot be streamed again, and none runs in the background."""
    async with fleet() as (_, door):
        path = f"/v1/responses/{(await door.http.post('/v1/responses', json=BODY)).json()['id']}"
        stream = await door.http.get(f"{path}?stream=true")
        cancel = await door.http.post(f"{path}/cancel")
        nothing = await door.http.post("/v1/responses/resp_none/cancel")
    assert (stream.status_code, stream.json()["error"]["param"]) == (400, "stream")
    assert cancel.status_code == 400
    assert "background" in cancel.json()["error"]["message"]
    assert (nothing.status_code, nothing.json()["error"]["code"]) == (404, "response_not_found")


async def test_input_items_are_listed_with_ids() -> None:
    """As OpenAI lists them."""
    async with fleet() as (_, door):
        response = (await door.http.post("/v1/responses", json=BODY)).json()["id"]
        listed = (await door.http.get(f"/v1/responses/{response}/input_items")).json()
    [item] = listed["data"]
    assert (item["type"], item["role"], item["content"]) == (
        "message",
        "user",
        [{"type": "input_text", "text": "Hi"}],
    )
    assert listed["first_id"] == listed["last_id"] == item["id"]
