"""Another replica takes over as long as the caller has seen nothing, and only then."""

import asyncio
import contextlib
import time

import httpx2
import pytest

from tests.gateway import gateway
from tests.scripted import MODEL, Scripted, Visit, as_replica, scripted
from vllm_gateway.outcomes import Outcome

CHAT = "/v1/chat/completions"
ASKING = {"model": MODEL, "messages": []}
STREAM = {**ASKING, "stream": True}
LAST = b'data: {"choices":[{"index":0,"delta":{"content":"."},"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"


async def well(visit: Visit, request: bytes) -> None:
    """Answer as a healthy replica does."""
    if b'"stream":true' in request:
        await visit.say_stream_head()
        await visit.say_events(LAST, DONE, is_last=True)
    else:
        await visit.say_json(b'{"from":"the other"}')


async def refuse_with(visit: Visit, status: str, body: bytes = b"{}", extra: bytes = b"") -> None:
    """Answer with an error."""
    await visit.say_json(body, status, extra)


async def reset(visit: Visit, _: bytes) -> None:
    """Die before the first byte."""
    visit.reset()
    raise ConnectionError


async def cut_in_body(visit: Visit, _: bytes) -> None:
    """Die in the middle of an answer in one piece."""
    await visit.say(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n{")
    raise ConnectionError


async def cut_after_head(visit: Visit, _: bytes) -> None:
    """Die between the head of a stream and its first event."""
    await visit.say_stream_head()
    raise ConnectionError


async def failing(visit: Visit, _: bytes) -> None:
    """Fail."""
    await refuse_with(visit, "500 Internal Server Error", b'{"error":{"message":"Traceback in /opt"}}')


async def overloaded(visit: Visit, _: bytes) -> None:
    """Have too much to do."""
    await refuse_with(visit, "503 Service Unavailable", b'{"error":{"message":"queue full","code":503}}')


async def limited(visit: Visit, _: bytes) -> None:
    """Ask to wait."""
    await refuse_with(visit, "429 Too Many Requests", b'{"error":{"message":"slow down"}}', b"retry-after: 7\r\n")


async def keyed(visit: Visit, _: bytes) -> None:
    """Want another key."""
    await refuse_with(visit, "401 Unauthorized", b'{"error":"Unauthorized"}')


async def routeless(visit: Visit, _: bytes) -> None:
    """Not know the route."""
    await refuse_with(visit, "404 Not Found", b'{"detail":"Not Found"}')


async def broken_first_event(visit: Visit, _: bytes) -> None:
    """Say 200 and then that it failed."""
    await visit.say_stream_head()
    await visit.say_events(b'data: {"error":{"message":"x","code":500}}\n\n', DONE, is_last=True)


def chosen_first(door_replicas: object, first: Scripted) -> None:
    """Make the policy choose one replica first."""
    for replica in door_replicas:  # type: ignore[attr-defined] # a sequence of replicas
        replica.turn = 0 if replica.request(b"GET", "/").find(b":%d" % first.port) > 0 else 1


BEFORE_THE_FIRST_BYTE = [reset, cut_in_body, failing, overloaded, limited, keyed, routeless]


@pytest.mark.parametrize("fault", BEFORE_THE_FIRST_BYTE, ids=lambda fault: fault.__name__)
async def test_another_replica_answers_when_the_first_one_cannot(fault: object) -> None:
    """A failure that the caller has not seen is made good by another replica."""
    async with (
        scripted(as_replica(fault)) as bad,  # type: ignore[arg-type] # one of the plays above
        scripted(as_replica(well)) as good,
        gateway(bad.url, good.url) as door,
    ):
        chosen_first(door.parts.pool.replicas, bad)
        reply = await door.http.post(CHAT, json=ASKING)
        assert (reply.status_code, reply.json()) == (200, {"from": "the other"})
        assert door.parts.ledger.outcomes.keys() <= {Outcome.OK, Outcome.OK_RETRIED}


@pytest.mark.parametrize(
    "fault", [reset, cut_after_head, failing, broken_first_event], ids=lambda fault: fault.__name__
)
async def test_a_stream_too_is_begun_again_elsewhere(fault: object) -> None:
    """As long as no event has left, a stream can come from another replica."""
    async with (
        scripted(as_replica(fault)) as bad,  # type: ignore[arg-type] # one of the plays above
        scripted(as_replica(well)) as good,
        gateway(bad.url, good.url) as door,
    ):
        chosen_first(door.parts.pool.replicas, bad)
        reply = await door.http.post(CHAT, json=STREAM)
        assert (reply.status_code, reply.content) == (200, LAST + DONE)
        assert door.parts.ledger.outcomes == {Outcome.OK_RETRIED: 1}


@pytest.mark.parametrize(
    ("fault", "status", "code", "retry_after"),
    [
        (reset, 502, "upstream_error", None),
        (cut_in_body, 502, "upstream_interrupted", None),
        (failing, 502, "upstream_error", None),
        (keyed, 502, "upstream_error", None),
        (overloaded, 503, "overloaded", "1"),
        (routeless, 501, "route_not_supported", None),
    ],
)
async def test_what_the_only_replica_cannot_do_is_told_in_the_contracts_statuses(
    fault: object, status: int, code: str, retry_after: str | None
) -> None:
    """Without another replica the failure reaches the caller: safe words, and when to come again."""
    async with scripted(as_replica(fault)) as bad, gateway(bad.url) as door:  # type: ignore[arg-type] # a play
        reply = await door.http.post(CHAT, json=ASKING)
    assert reply.status_code == status
    assert reply.json()["error"]["code"] == code
    assert reply.headers.get("retry-after") == retry_after
    assert "Traceback" not in reply.text


async def test_the_replicas_own_429_passes_with_its_wait() -> None:
    """When every replica asks to wait, its own words and its own wait reach the caller."""
    async with scripted(as_replica(limited)) as one, gateway(one.url) as door:
        reply = await door.http.post(CHAT, json=ASKING)
    assert (reply.status_code, reply.content) == (429, b'{"error":{"message":"slow down"}}')
    assert reply.headers["retry-after"] == "7"


async def test_the_replicas_judgement_of_a_request_is_final() -> None:
    """A 400 passes unchanged and is not asked of anybody else."""
    body = b'{"error":{"message":"max_tokens is too large","type":"BadRequestError","param":"max_tokens","code":400}}'

    async def judge(visit: Visit, _: bytes) -> None:
        await refuse_with(visit, "400 Bad Request", body)

    async with (
        scripted(as_replica(judge)) as one,
        scripted(as_replica(well)) as other,
        gateway(one.url, other.url) as door,
    ):
        chosen_first(door.parts.pool.replicas, one)
        reply = await door.http.post(CHAT, json=ASKING)
        assert (reply.status_code, reply.content) == (400, body)
        assert door.parts.ledger.outcomes == {Outcome.BAD_REQUEST: 1}


async def test_an_error_page_is_not_passed_on() -> None:
    """HTML, or megabytes, instead of an error become one clean sentence."""

    async def page(visit: Visit, _: bytes) -> None:
        await refuse_with(visit, "400 Bad Request", b"<html>" + b"secret-host " * 100_000)

    async with scripted(as_replica(page)) as one, gateway(one.url) as door:
        reply = await door.http.post(CHAT, json=ASKING)
    assert reply.status_code == 400
    assert reply.json()["error"]["message"] == "The model server refused the request."
    assert len(reply.content) < 1000


async def test_a_dead_replica_is_found_out_once() -> None:
    """The first request that cannot connect takes the replica out; later ones do not even try."""
    async with scripted(as_replica(well)) as good, gateway(good.url, "http://127.0.0.1:1/v1") as door:
        dead = door.parts.pool.replicas[1]
        assert not dead.is_usable
        replies = [await door.http.post(CHAT, json=ASKING) for _ in range(5)]
        assert [reply.status_code for reply in replies] == [200] * 5
        assert dead.turn == 0


async def test_no_healthy_replica_is_503_with_a_time_to_come_again() -> None:
    """A known model without any usable replica is an overload, not an unknown model."""
    calm = {"retry": {"attempts": 1}, "probe": {"panic_percent": 0}}
    async with scripted(as_replica(reset)) as bad, gateway(bad.url, **calm) as door:
        for _ in range(3):
            assert (await door.http.post(CHAT, json=ASKING)).status_code == 502
        reply = await door.http.post(CHAT, json=ASKING)
        assert reply.status_code == 503
        assert reply.json()["error"]["code"] == "no_healthy_replica"
        assert int(reply.headers["retry-after"]) > 0
        assert (await door.http.get("/readyz")).status_code == 503
        assert (await door.http.get("/livez")).status_code == 200


async def test_attempts_are_limited() -> None:
    """One request is tried at most as often as the settings say."""
    async with (
        scripted(as_replica(failing)) as one,
        scripted(as_replica(failing)) as two,
        scripted(as_replica(well)) as three,
        gateway(one.url, two.url, three.url, retry={"attempts": 2}) as door,
    ):
        door.parts.pool.replicas[2].turn = 99
        reply = await door.http.post(CHAT, json=ASKING)
        assert reply.status_code == 502


async def test_a_stale_connection_is_replaced_and_not_counted() -> None:
    """A kept connection that the replica closed in the same moment costs the caller nothing."""

    async def once_per_connection(visit: Visit, request: bytes) -> None:
        if getattr(visit, "was_used", False):
            raise ConnectionError
        visit.was_used = True  # type: ignore[attr-defined] # a mark of this test's own
        await well(visit, request)

    async with scripted(as_replica(once_per_connection)) as replica, gateway(replica.url) as door:
        replies = [await door.http.post(CHAT, json=ASKING) for _ in range(10)]
        assert [reply.status_code for reply in replies] == [200] * 10
        assert door.parts.ledger.outcomes == {Outcome.OK: 10}


async def test_a_replica_that_breaks_off_at_work_is_not_asked_again() -> None:
    """On a kept connection too, who closes after a while had the request, and may have worked on it."""
    asked: list[bytes] = []

    async def breaks_off(visit: Visit, request: bytes) -> None:
        asked.append(request)
        if len(asked) == 1:
            await well(visit, request)
            return
        await asyncio.sleep(0.6)
        raise ConnectionError

    async with scripted(as_replica(breaks_off)) as replica, gateway(replica.url) as door:
        replies = [await door.http.post(CHAT, json=ASKING) for _ in range(2)]
    assert [reply.status_code for reply in replies] == [200, 502]
    assert len(asked) == 2


async def test_silence_before_the_first_token_goes_to_another_replica() -> None:
    """A stream that does not begin in time is asked of another replica, and never of the silent one again."""

    async def silent(visit: Visit, _: bytes) -> None:
        await visit.say_stream_head()
        await visit.until_closed()

    async with (
        scripted(as_replica(silent)) as mute,
        scripted(as_replica(well)) as good,
        gateway(mute.url, good.url, timeouts={"first_token_s": 0.6}) as door,
    ):
        chosen_first(door.parts.pool.replicas, mute)
        began = time.perf_counter()
        reply = await door.http.post(CHAT, json=STREAM)
        assert reply.content == LAST + DONE
        assert time.perf_counter() - began >= 0.6


async def test_silence_inside_a_stream_ends_it_with_an_error() -> None:
    """A stream that stalls is not left hanging, and not ended as if complete."""

    async def stalling(visit: Visit, _: bytes) -> None:
        await visit.say_stream_head()
        await visit.say_events(b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\n\n')
        await visit.until_closed()

    async with scripted(as_replica(stalling)) as replica, gateway(replica.url, timeouts={"idle_s": 0.3}) as door:
        text = b""
        with contextlib.suppress(httpx2.RemoteProtocolError):
            async with door.http.stream("POST", CHAT, json=STREAM) as reply:
                async for chunk in reply.aiter_raw():
                    text += chunk
        assert b'"code":"upstream_timeout"' in text
        assert b"[DONE]" not in text
        assert door.parts.ledger.outcomes == {Outcome.TIMEOUT: 1}


async def test_comments_are_a_sign_of_life() -> None:
    """A replica that says it is still busy is not silent."""

    async def busy(visit: Visit, _: bytes) -> None:
        await visit.say_stream_head()
        for _round in range(8):
            await visit.say_events(b": keep-alive\n\n")
            await asyncio.sleep(0.1)
        await visit.say_events(LAST, DONE, is_last=True)

    async with scripted(as_replica(busy)) as replica, gateway(replica.url, timeouts={"first_token_s": 0.6}) as door:
        reply = await door.http.post(CHAT, json=STREAM)
    assert reply.content == b": keep-alive\n\n" * 8 + LAST + DONE


async def test_the_whole_takes_no_longer_than_it_may() -> None:
    """An answer in one piece that does not come is 504."""

    async def never(visit: Visit, _: bytes) -> None:
        await visit.until_closed()

    async with scripted(as_replica(never)) as replica, gateway(replica.url, timeouts={"total_s": 0.3}) as door:
        reply = await door.http.post(CHAT, json=ASKING)
        assert (reply.status_code, reply.json()["error"]["code"]) == (504, "upstream_timeout")
        assert replica.visits[-1].closed_at is not None


async def test_work_is_spread_over_the_replicas() -> None:
    """Of two equal replicas none gets more than its share."""
    counts = [0, 0]

    def counting(number: int) -> object:
        async def answer(visit: Visit, request: bytes) -> None:
            counts[number] += 1
            await asyncio.sleep(0.002)
            await well(visit, request)

        return answer

    async with (
        scripted(as_replica(counting(0))) as one,  # type: ignore[arg-type] # a play
        scripted(as_replica(counting(1))) as two,  # type: ignore[arg-type] # a play
        gateway(one.url, two.url) as door,
    ):
        replies = await asyncio.gather(*(door.http.post(CHAT, json=ASKING) for _ in range(60)))
    assert all(reply.status_code == 200 for reply in replies)
    assert max(counts) <= 36
