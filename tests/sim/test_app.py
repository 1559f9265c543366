"""Routes, keys and what comes before them."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from tests.sim.quick import HELLO, quick
from vllm_gateway.sim.api.chat import ChatFields
from vllm_gateway.sim.api.completions import CompletionFields
from vllm_gateway.sim.api.embeddings import EmbeddingFields, RerankFields, ScoreFields
from vllm_gateway.sim.api.messages import MessagesFields
from vllm_gateway.sim.api.responses import ResponsesFields
from vllm_gateway.sim.api.tokenize import ConversationFields, DetokenizeFields

BODIES: dict[str, type[BaseModel]] = {
    "/v1/chat/completions": ChatFields,
    "/v1/completions": CompletionFields,
    "/v1/messages": MessagesFields,
    "/v1/messages/count_tokens": MessagesFields,
    "/v1/responses": ResponsesFields,
    "/v1/embeddings": EmbeddingFields,
    "/v1/rerank": RerankFields,
    "/v1/score": ScoreFields,
    "/tokenize": ConversationFields,
    "/detokenize": DetokenizeFields,
}
USUAL: dict[str, Any] = {
    "messages": [{"role": "user", "content": "Hello"}],
    "prompt": [300, 301],
    "input": "Hello",
    "max_tokens": 3,
    "max_output_tokens": 3,
    "query": "a",
    "documents": ["a", "b"],
    "text_1": "a",
    "text_2": "b",
    "tokens": [300],
    "n": 1,
    "model": None,
}
SCALARS = st.none() | st.booleans() | st.integers(-3, 9) | st.floats(-3, 3) | st.sampled_from(["", "a", "none", "auto"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "type", "text", "function", "name", "5"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


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


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A route and a body with usual values, a few of them replaced by anything."""
    path = draw(st.sampled_from(sorted(BODIES)))
    names = sorted(BODIES[path].model_fields)
    usual = {name: USUAL[name] for name in names if USUAL.get(name) is not None}
    return path, usual | draw(st.dictionaries(st.sampled_from(names), VALUES, max_size=3))


@settings(max_examples=40, deadline=None)
@given(st.lists(requests(), min_size=10, max_size=10))
async def test_no_body_breaks_a_route(asked: list[tuple[str, dict[str, Any]]]) -> None:
    """Whatever the fields say, the answer is good or a refusal: never a defect, and never none at all."""
    async with quick() as sim:
        for path, body in asked:
            answer = await sim.http.post(path, json=body)
            assert answer.status_code in {200, 400, 404, 501}, (path, body)
        assert not sim.sim.engine.scheduler.running
