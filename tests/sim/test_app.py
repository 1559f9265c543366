"""Routes, keys and what comes before them."""

import pytest

from tests.sim.quick import HELLO, quick


async def test_a_key_is_wanted_under_v1_only() -> None:
    """Without it the answer is vLLM's 401; health and tokenizer need none."""
    async with quick(api_key="secret") as sim:
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic secret"}):
            refused = await sim.http.get("/v1/models", headers=headers)
            assert (refused.status_code, refused.text) == (401, '{"error":"Unauthorized"}')
        passed = await sim.http.get("/v1/models", headers={"authorization": "bearer secret"})
        assert passed.status_code == 200
        assert (await sim.http.get("/health")).status_code == 200
        assert (await sim.http.post("/tokenize", json={"prompt": "Hi"})).status_code == 200


async def test_an_unknown_route_and_a_wrong_method_are_told_apart() -> None:
    """404 and 405, the latter with what is allowed."""
    async with quick() as sim:
        assert (await sim.http.get("/v1/nothing")).json() == {"detail": "Not Found"}
        wrong = await sim.http.get("/v1/chat/completions")
        assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")


async def test_a_sim_without_embedding_models_lacks_their_routes() -> None:
    """As a generating vLLM does; and the other way round."""
    async with quick(embedding_models=()) as generating, quick(models=()) as embedding:
        assert (await generating.http.post("/v1/embeddings", json={"input": "Hi"})).status_code == 404
        assert (await embedding.http.post("/v1/chat/completions", json=HELLO)).status_code == 404
        assert (await embedding.http.post("/v1/embeddings", json={"input": "Hi"})).status_code == 200


async def test_the_request_id_comes_back() -> None:
    """The caller's own in the header and in the answer's id; a new one otherwise; none when switched off."""
    async with quick() as sim:
        given = await sim.http.post("/v1/chat/completions", json=HELLO, headers={"x-request-id": "mine"})
        assert (given.headers["x-request-id"], given.json()["id"]) == ("mine", "chatcmpl-mine")
        assert len((await sim.http.get("/version")).headers["x-request-id"]) == 32
    async with quick(request_id_headers=False) as sim:
        assert "x-request-id" not in (await sim.http.get("/version")).headers


@pytest.mark.parametrize("path", ["/sleep", "/wake_up", "/reset_prefix_cache"])
async def test_development_routes_exist_only_when_switched_on(path: str) -> None:
    """A replica as it is served has none of them."""
    async with quick() as served, quick(dev_mode=True) as developed:
        assert (await served.http.post(path)).status_code == 404
        assert (await developed.http.post(path)).status_code == 200


async def test_a_defect_of_the_sim_answers_500(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even then the caller gets an error body, and the sim goes on."""
    async with quick() as sim:
        monkeypatch.setattr("vllm_gateway.sim.api.models._card", lambda *_: 1 / 0)
        broken = await sim.http.get("/v1/models")
        monkeypatch.undo()
        assert broken.status_code == 500
        assert broken.json()["error"]["type"] == "InternalServerError"
        assert (await sim.http.get("/v1/models")).status_code == 200
