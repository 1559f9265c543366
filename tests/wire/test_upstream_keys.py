"""Callers whose keys the replicas know: each request carries its caller's own."""

import pytest

from tests.gateway import gateway
from tests.scripted import MODEL, Visit, as_replica, scripted
from vllm_gateway import sim
from vllm_gateway.outcomes import Outcome
from vllm_gateway.settings.model import Upstream

CHAT = "/v1/chat/completions"
ASKING = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}]}
OWN, THEIRS = "sk-the-gateways-own", "sk-the-callers-own"
AUTH = {"mode": "upstream"}


def behind(url: str) -> Upstream:
    """Return a replica that the gateway has a key of its own for."""
    return Upstream.model_validate({"url": url, "api_key": OWN})


def bearing(key: str) -> dict[str, str]:
    """Return the header with a key."""
    return {"authorization": f"Bearer {key}"}


async def test_a_request_carries_its_callers_key_and_no_other() -> None:
    """Whatever header it came in; the gateway's own key is for the gateway's own questions."""
    heard: list[bytes] = []

    async def play(visit: Visit, request: bytes) -> None:
        heard.append(request)
        await visit.say_json(b'{"choices":[]}')

    async with scripted(as_replica(play)) as one, gateway(behind(one.url), auth=AUTH) as door:
        for headers in (bearing(THEIRS), {"x-api-key": THEIRS}, {"api-key": THEIRS}):
            assert (await door.http.post(CHAT, json=ASKING, headers=headers)).status_code == 200
    assert len(heard) == 3
    for request in heard:
        assert request.count(b"Authorization: Bearer " + THEIRS.encode()) == 1
        assert request.count(THEIRS.encode()) == 1
        assert OWN.encode() not in request


async def test_the_replicas_word_on_a_key_counts() -> None:
    """An engine with a key lets in who has that one; others, and who has none, get 401, and its health is untouched."""
    engine = await sim.start(sim.SimSettings(port=0, api_key=OWN, models=(MODEL,), ttft_ms=0, itl_ms=0))
    try:
        async with gateway(behind(engine.url), auth=AUTH) as door:
            assert (await door.http.post(CHAT, json=ASKING, headers=bearing(OWN))).status_code == 200
            for headers in (bearing(THEIRS), {}):
                refused = await door.http.post(CHAT, json=ASKING, headers=headers)
                assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_api_key")
            assert (await door.http.get("/v1/models", headers=bearing(THEIRS))).status_code == 401
            assert (await door.http.get("/v1/models", headers=bearing(OWN))).status_code == 200
            health = door.parts.pool.replicas[0].health
            assert (health.is_usable, health.failures) == (True, 0)
    finally:
        await engine.close()


@pytest.mark.parametrize("stream", [False, True])
async def test_a_key_that_has_just_been_withdrawn_is_the_callers_trouble(*, stream: bool) -> None:
    """The replica says 401 to the request itself: the caller gets 401, nobody else is asked, no replica is blamed."""

    async def withdrawn(visit: Visit, _: bytes) -> None:
        await visit.say_json(b'{"error":"Unauthorized"}', "401 Unauthorized")

    async with (
        scripted(as_replica(withdrawn)) as one,
        scripted(as_replica(withdrawn)) as other,
        gateway(behind(one.url), behind(other.url), auth=AUTH) as door,
    ):
        for _ in range(4):
            reply = await door.http.post(CHAT, json={**ASKING, "stream": stream}, headers=bearing(THEIRS))
            assert (reply.status_code, reply.json()["error"]["code"]) == (401, "invalid_api_key")
            assert reply.headers["www-authenticate"] == "Bearer"
        assert [each.health.failures for each in door.parts.pool.replicas] == [0, 0]
        assert door.parts.ledger.outcomes == {Outcome.AUTH: 4}


async def test_the_gateways_own_wrong_key_is_the_gateways_trouble() -> None:
    """Without keys of callers a 401 is a setting that is wrong, as ever."""

    async def keyed(visit: Visit, _: bytes) -> None:
        await visit.say_json(b'{"error":"Unauthorized"}', "401 Unauthorized")

    async with scripted(as_replica(keyed)) as one, gateway(behind(one.url)) as door:
        reply = await door.http.post(CHAT, json=ASKING, headers=bearing(THEIRS))
        assert (reply.status_code, reply.json()["error"]["code"]) == (502, "upstream_error")
        assert door.parts.pool.replicas[0].health.failures == 1
