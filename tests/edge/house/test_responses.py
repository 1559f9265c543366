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


async def test_input_items_come_page_by_page() -> None:
    """The last one first, unless `order` says otherwise; `after` names the last one that is known."""
    items = [{"type": "message", "role": "user", "content": f"{at}"} for at in range(25)]
    async with fleet() as (_, door):
        response = (await door.http.post("/v1/responses", json={**BODY, "input": items})).json()["id"]
        path = f"/v1/responses/{response}/input_items"
        first = (await door.http.get(path)).json()
        rest = (await door.http.get(path, params={"after": first["last_id"]})).json()
        oldest = (await door.http.get(path, params={"order": "asc", "limit": 1})).json()
        refused = [await door.http.get(f"{path}?{query}") for query in ("limit=0", "limit=101", "order=up", "after=x")]
    assert [item["content"][0]["text"] for item in first["data"] + rest["data"]] == [
        str(at) for at in range(24, -1, -1)
    ]
    assert [(len(each["data"]), each["has_more"]) for each in (first, rest, oldest)] == [
        (20, True),
        (5, False),
        (1, True),
    ]
    assert oldest["data"][0]["content"][0]["text"] == "0"
    assert [reply.status_code for reply in refused] == [400] * 4
    assert [reply.json()["error"]["param"] for reply in refused] == ["limit", "limit", "order", "after"]


async def test_a_response_that_is_not_there_is_no_fields_fault() -> None:
    """Its id stands in the path."""
    async with fleet() as (_, door):
        error = (await door.http.get("/v1/responses/x")).json()["error"]
    assert (error["code"], error["param"]) == ("response_not_found", None)
