"""From what is asked to an answer: which model, which replicas, and where a conversation goes on."""

from tests.gateway import gateway
from tests.scripted import MODEL, Visit, as_replica, scripted
from tests.wire.sims import asked, fast, fleet

CHAT = "/v1/chat/completions"
HELLO = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2}


async def test_a_conversation_goes_on_where_it_was() -> None:
    """By whatever name its client gives it; without one the replicas take turns."""
    for named in ({"headers": {"x-session-id": "talk"}}, {"more": {"prompt_cache_key": "talk"}}, {}):
        async with fleet(fast(), fast()) as (sims, door):
            for _ in range(6):
                body = {"model": "sim-small", **HELLO, **named.get("more", {})}
                reply = await door.http.post(CHAT, json=body, headers=named.get("headers"))
                assert reply.status_code == 200
            counts = sorted(len(asked(sim)) for sim in sims)
        assert counts == ([0, 6] if named else [3, 3])


async def test_a_conversation_moves_when_its_replica_is_gone() -> None:
    """And stays where it went."""

    async def answer(visit: Visit, _: bytes) -> None:
        await visit.say_json(b"{}")

    async def die(visit: Visit, request: bytes) -> None:
        asked_in_vain.append(request)
        visit.reset()
        raise ConnectionError

    asked_in_vain: list[bytes] = []
    async with (
        scripted(as_replica(die)) as dying,
        scripted(as_replica(answer)) as well,
        gateway(dying.url, well.url, probe={"every_s": 600}) as door,
    ):
        for _ in range(4):
            body = {"model": MODEL, "messages": [], "prompt_cache_key": "talk"}
            assert (await door.http.post(CHAT, json=body)).status_code == 200
    assert len(asked_in_vain) <= 2  # a connection that was kept may have been stale


async def test_without_a_model_the_first_that_offers_the_route_answers() -> None:
    """Embeddings come from whoever embeds; only routes of the gateway's own are so generous."""
    async with fleet(fast(models=("sim-small", "sim-embed"))) as (_, door):
        vectors = await door.http.post("/embed", json={"input": "x"})
        words = await door.http.post("/chat", json=HELLO)
        strict = await door.http.post(CHAT, json=HELLO)
    assert (vectors.status_code, vectors.json()["model"]) == (200, "sim-embed")
    assert (words.status_code, words.json()["model"]) == (200, "sim-small")
    assert strict.status_code == 400


async def test_nothing_is_guessed_where_that_is_forbidden() -> None:
    """`ambiguous_model: reject` asks for a name."""
    async with fleet(fast(models=("a", "b")), ambiguous_model="reject") as (_, door):
        reply = await door.http.post("/chat", json=HELLO)
    assert reply.status_code == 422
    assert "Available: a, b" in reply.json()["error"]["message"]
