"""What may be asked for, for every kind of client."""

import asyncio

import anthropic
import openai
import pytest

from tests.edge.house.replicas import serving
from tests.gateway import gateway
from tests.scripted import Visit, scripted


async def test_models_are_merged_over_replicas() -> None:
    """Each id appears once, with everyone who serves it, and the shortest context of them."""
    async with (
        scripted(serving("a", "b")) as one,
        scripted(serving("b", length=2048)) as two,
        gateway(one.url, two.url) as door,
    ):
        body = (await door.http.get("/v1/models")).json()
    assert [row["id"] for row in body["data"]] == ["a", "b"]
    assert body["object"] == "list"
    b = body["data"][1]
    assert (b["root"], b["max_model_len"], b["owned_by"]) == ("org/b", 2048, "vllm")
    assert [source["source"] for source in b["sources"]] == ["default-1", "default-2"]
    assert all(source["latency_ms"] >= 0 for source in b["sources"])


async def test_aliases_are_models_and_the_allow_list_hides_the_rest() -> None:
    """An alias is listed under its own name; what may not be asked for is not listed."""
    settings = {"aliases": {"claude-mine": "a", "gone": "nobody"}, "allowed_models": ("claude-mine",)}
    async with scripted(serving("a", "b")) as one, gateway(one.url, **settings) as door:
        rows = (await door.http.get("/v1/models")).json()["data"]
        assert [(row["id"], row["alias_of"], row["root"]) for row in rows] == [("claude-mine", "a", "org/a")]
        assert (await door.http.get("/v1/models/b")).status_code == 403


async def test_one_model_can_be_asked_for_with_slashes_in_its_name() -> None:
    """An id like `org/name` is found, plain or escaped; an unknown one names those that exist."""
    async with scripted(serving("org/name")) as one, gateway(one.url) as door:
        plain = await door.http.get("/v1/models/org/name")
        escaped = await door.http.get("/v1/models/org%2Fname")
        unknown = await door.http.get("/v1/models/nope")
    assert plain.json()["id"] == escaped.json()["id"] == "org/name"
    assert unknown.status_code == 404
    assert unknown.json()["error"]["code"] == "model_not_found"
    assert "org/name" in unknown.json()["error"]["message"]


async def test_the_sdks_read_the_list() -> None:
    """OpenAI's and Anthropic's libraries both understand the one list."""
    async with scripted(serving("a")) as one, gateway(one.url) as door:
        async with openai.AsyncOpenAI(base_url=f"{door.url}/v1", api_key="x") as client:
            assert [model.id async for model in client.models.list()] == ["a"]
            assert (await client.models.retrieve("a")).owned_by == "vllm"
            with pytest.raises(openai.NotFoundError, match="Available: a"):
                await client.models.retrieve("b")
        async with anthropic.AsyncAnthropic(base_url=door.url, api_key="x") as other:
            models = [model async for model in other.models.list()]
            assert [(model.id, model.type, model.display_name) for model in models] == [("a", "model", "a")]


async def test_codex_gets_its_own_rows_when_it_names_its_version() -> None:
    """`models[]` is there for a caller with `client_version`, and not for others."""
    async with scripted(serving("a")) as one, gateway(one.url) as door:
        plain = (await door.http.get("/v1/models")).json()
        codex = (await door.http.get("/v1/models?client_version=0.162.1")).json()
    assert "models" not in plain
    row = codex["models"][0]
    assert (row["slug"], row["context_window"], row["visibility"]) == ("a", 4096, "list")
    required = {"supported_reasoning_levels", "shell_type", "truncation_policy", "base_instructions", "priority"}
    assert required <= row.keys()


async def test_an_unchanged_list_is_304() -> None:
    """A client that has the list need not load it again."""
    async with scripted(serving("a")) as one, gateway(one.url, probe={"every_s": 60}) as door:
        first = await door.http.get("/v1/models")
        again = await door.http.get("/v1/models", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_a_model_loaded_later_is_found_without_waiting_for_the_next_look() -> None:
    """An unknown name makes the gateway look again, so that a new adapter can be used at once."""
    models = ["a"]

    async def play(visit: Visit) -> None:
        await serving(*models)(visit)

    async with scripted(play) as one, gateway(one.url, probe={"every_s": 60}) as door:
        models.append("b")
        for visit in one.visits:
            visit.writer.close()
        await asyncio.sleep(1.0)  # the pause between two looks that callers can cause
        assert (await door.http.get("/v1/models/b")).status_code == 404
        reply = await door.http.post("/v1/chat/completions", json={"model": "b", "messages": []})
        assert "No model server offers the model" not in reply.text


async def test_the_same_list_is_offered_below_api() -> None:
    """With the allow-list respected."""
    async with scripted(serving("a", "b")) as one, gateway(one.url, allowed_models=("b",)) as door:
        lists = [(await door.http.get(path)).json()["data"] for path in ("/v1/models", "/api/models")]
    assert [[row["id"] for row in rows] for rows in lists] == [["b"], ["b"]]
