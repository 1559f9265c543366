"""`?explain=1`: a caller who may asks how its replica was chosen, and gets to know it in a header."""

from typing import Any

import httpx2

from tests.wire.sims import fast, fleet
from vllm_gateway import codec
from vllm_gateway.admission.keys.record import caller_id
from vllm_gateway.admission.keys.secret import digest

CHAT = "/v1/chat/completions"
LOCAL: dict[str, Any] = {"auth": {"explain_to": ["local"]}}
PREFIX: dict[str, Any] = {**LOCAL, "balance": {"policy": "prefix"}}
KEY = "sk-explains-0123456789"
OTHER = "sk-another-0123456789"


def body(**fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    """Return a question that is long enough to be known again by its beginning."""
    return {
        "model": "sim-small",
        "messages": [{"role": "user", "content": "Tell me about rivers. " * 60}],
        "max_tokens": 3,
        **fields,
    }


def explained(reply: httpx2.Response) -> dict[str, Any]:
    """Return what a reply says of how its replica was chosen."""
    told: dict[str, Any] = codec.loads(reply.headers["x-gateway-explain"])
    return told


async def test_the_candidates_and_the_choice_are_told() -> None:
    """With what decided, in streams and errors as in answers in one piece; and no address of any replica."""
    async with fleet(fast(), fast(), **PREFIX) as (sims, door):
        whole = await door.http.post(f"{CHAT}?explain=1", json=body())
        stream = await door.http.post(CHAT, json=body(stream=True), headers={"x-explain": "1"})
        unasked = await door.http.post(CHAT, json=body())
    assert "x-gateway-explain" not in unasked.headers
    for reply in (whole, stream):
        told = explained(reply)
        assert told["policy"] == "prefix"
        assert told["replicas"] == {"default-1": {"breaker": "closed"}, "default-2": {"breaker": "closed"}}
        (choice,), (call,) = told["choices"], told["calls"]
        assert set(choice["among"]) == {"default-1", "default-2"}
        assert choice["chosen"] == call["replica"]
        assert {"score", "known_blocks", "load"} <= set(choice["among"]["default-1"])
        assert not any(sim.url.removeprefix("http://") in reply.headers["x-gateway-explain"] for sim in sims)


async def test_what_the_cache_was_believed_to_know_is_told() -> None:
    """The second time the prompt's blocks are known where it went the first time."""
    async with fleet(fast(), fast(), **PREFIX) as (_, door):
        first = explained(await door.http.post(f"{CHAT}?explain=1", json=body()))
        second = explained(await door.http.post(f"{CHAT}?explain=1", json=body()))
    warm = first["choices"][0]["chosen"]
    assert first["known_blocks"] == 0
    assert second["known_blocks"] == second["choices"][0]["among"][warm]["known_blocks"] > 0
    assert second["choices"][0]["chosen"] == warm


async def test_replicas_that_failed_are_told() -> None:
    """The one that did not answer, with its error, and the one that did."""
    async with fleet(fast(faults=("status=500",)), fast(), balance={"policy": "round_robin"}, **LOCAL) as (_, door):
        replies = [await door.http.post(f"{CHAT}?explain=1", json=body()) for _ in range(2)]
    told = next(each for each in map(explained, replies) if len(each["calls"]) > 1)
    assert [each["result"] for each in told["calls"]] == ["upstream_error", "ok"]
    assert [each["chosen"] for each in told["choices"]] == ["default-1", "default-2"]


async def test_only_who_may_is_told() -> None:
    """A key that is named; another one gets its answer and nothing beside it."""
    async with fleet(fast()) as (_, closed):
        silent = await closed.http.post(f"{CHAT}?explain=1", json=body())
    caller = caller_id(digest(KEY.encode()))
    auth = {"mode": "keys", "client_keys": [KEY, OTHER], "explain_to": [caller, "local"]}
    async with fleet(fast(), auth=auth) as (_, door):
        named, other = [
            await door.http.post(f"{CHAT}?explain=1", json=body(), headers={"x-api-key": key}) for key in (KEY, OTHER)
        ]
    assert [reply.status_code for reply in (silent, named, other)] == [200, 200, 200]
    assert ["x-gateway-explain" in reply.headers for reply in (silent, named, other)] == [False, True, False]
    assert KEY not in named.headers["x-gateway-explain"]


async def test_an_error_before_any_choice_says_what_there_is() -> None:
    """A model that nobody serves: there is nothing to choose from."""
    async with fleet(fast(), **LOCAL) as (_, door):
        reply = await door.http.post(f"{CHAT}?explain=1", json=body(model="unknown"))
    told = explained(reply)
    assert reply.status_code == 404
    assert (told["choices"], told["calls"], told["policy"]) == ([], [], None)
