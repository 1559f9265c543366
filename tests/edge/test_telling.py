"""What the head of an answer tells of how it came about."""

import pytest

from tests.exchanges import exchange
from tests.gateway import gateway
from tests.scripted import Visit, as_replica, scripted
from tests.wire.sims import fast, fleet
from vllm_gateway import codec
from vllm_gateway.clock import HandClock
from vllm_gateway.edge.telling import MOST_EXPLAIN_BYTES, explained, head_told, lines_told, timing, total_told
from vllm_gateway.exchange import Exchange
from vllm_gateway.trail import Call, Explanation, Trail

CHAT = "/v1/chat/completions"
BODY = {"model": "sim-small", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 3}


def names(header: str) -> list[str]:
    """Return the names of the steps that a `Server-Timing` tells."""
    return [each.partition(";")[0].strip() for each in header.split(",")]


def answered(*, first_token_at: float | None = None, queue_s: float = 0.0) -> Exchange:
    """Return an exchange that a replica has answered, at the tenth second."""
    one = exchange()
    one.replica = "gpu-1"
    one.trail = Trail(HandClock(now=10.0).now, auth_s=0.001, read_s=0.002, route_s=0.003, connect_s=0.004)
    one.trail.first_token_at, one.trail.queue_s = first_token_at, queue_s
    one.trail.calls = [
        Call("gpu-0", CHAT, 1.0, connected_at=1.5, ended=2.0, result="upstream_error"),
        Call("gpu-1", CHAT, 3.0, connected_at=4.0),
    ]
    return one


def test_a_stream_tells_when_its_first_token_came() -> None:
    """Counted from the moment when its replica could be asked, not that of another one before it."""
    told = timing(answered(first_token_at=6.5, queue_s=0.25), now=10.0)
    assert told == (
        b"auth;dur=1.00, read;dur=2.00, queue;dur=250.00, route;dur=3.00, connect;dur=4.00, "
        b"ttft;dur=2500.00, total;dur=10000.00"
    )


def test_an_answer_in_one_piece_tells_how_long_its_replica_took() -> None:
    """Until now where it goes on, otherwise until its end."""
    one = answered()
    assert b"upstream;dur=6000.00" in timing(one, now=10.0)
    one.trail.calls[-1].ended = 9.0
    assert b"upstream;dur=5000.00" in timing(one, now=10.0)


def test_what_it_did_not_come_to_is_not_told() -> None:
    """A request that nobody was let in for took its time all the same."""
    one = exchange()
    assert timing(one, now=0.5) == b"total;dur=500.00"
    assert [name for name, _ in head_told(one)] == [b"server-timing"]
    assert total_told(0.0125) == (b"server-timing", b"total;dur=12.50")


def test_both_ways_to_write_a_head_tell_the_same() -> None:
    """What is left of the caller's limits, the time, and how the replica was chosen: as lines, and as headers."""
    one = answered()
    one.limits = b'x-ratelimit-remaining-requests: 5\r\nratelimit: "requests";r=5;t=0\r\n'
    one.trail.explanation = Explanation("prefix")
    headers = head_told(one)
    names = [b"x-ratelimit-remaining-requests", b"ratelimit", b"server-timing", b"x-gateway-explain"]
    assert [name for name, _ in headers] == names
    assert headers[:2] == [(names[0], b"5"), (names[1], b'"requests";r=5;t=0')]
    lines = lines_told(one)
    assert lines.startswith(one.limits)
    assert [line.partition(b": ")[0] for line in lines.split(b"\r\n")] == [*names, b""]


def test_a_stream_that_has_only_shown_that_it_lives_tells_no_first_token() -> None:
    """There is none yet."""
    one = answered()
    one.is_event_stream = True
    assert b"connect;dur=4.00, total;dur=10000.00" in timing(one, now=10.0)


@pytest.mark.parametrize("replicas", [1, 20, 500])
def test_an_explanation_fits_into_a_head(replicas: int) -> None:
    """Of many replicas those are told that were the best choice, and how many are left out."""
    one, explanation = exchange(), Explanation("prefix")
    weights = {f"gpu-{number}": {"score": float(-number), "load": 1.0, "turn": 12.5} for number in range(replicas)}
    explanation.replicas = {name: {"breaker": "closed"} for name in weights}
    explanation.choices = [{"chosen": "gpu-0", "among": weights}]
    text = explained(one, explanation)
    told = codec.loads(text)
    assert len(text) <= MOST_EXPLAIN_BYTES
    among = list(told["choices"][0]["among"])
    assert among[0] == "gpu-0"
    assert among[1:2] == ([f"gpu-{replicas - 1}"] if replicas > 1 else [])
    assert told.get("left_out", 0) == replicas - len(among)


def test_what_is_no_ascii_is_escaped() -> None:
    """A header holds ASCII, and a model may be called anything."""
    one = exchange()
    one.model = "größer-🦙"
    text = explained(one, Explanation())
    assert text.isascii()
    assert codec.loads(text)["model"] == "größer-🦙"


def test_what_does_not_fit_at_all_says_so() -> None:
    """The policy is told in any case."""
    one = exchange()
    one.model = "m" * (2 * MOST_EXPLAIN_BYTES)
    assert codec.loads(explained(one, Explanation("prefix"))) == {"policy": "prefix", "too_long": True}


@pytest.mark.parametrize("stream", [False, True])
async def test_every_answer_of_a_replica_tells_where_its_time_went(stream: bool) -> None:
    """In one piece or streamed; nobody is told of the choice who did not ask."""
    async with fleet(fast()) as (_, door):
        reply = await door.http.post(CHAT, json={**BODY, "stream": stream})
    last = "ttft" if stream else "upstream"
    assert names(reply.headers["server-timing"]) == ["auth", "read", "queue", "route", "connect", last, "total"]
    assert "x-gateway-explain" not in reply.headers


async def test_errors_and_the_gateways_own_answers_tell_it_too() -> None:
    """As far as it came: a body that is none is never read to its end, and no replica was asked."""
    async with fleet(fast()) as (_, door):
        wrong = await door.http.post(CHAT, content=b"{", headers={"content-type": "application/json"})
        models = await door.http.get("/v1/models")
        method = await door.http.get(CHAT)
    assert (wrong.status_code, names(wrong.headers["server-timing"])) == (400, ["auth", "total"])
    assert (models.status_code, names(models.headers["server-timing"])) == (200, ["total"])
    assert (method.status_code, names(method.headers["server-timing"])) == (405, ["total"])


async def test_a_replica_that_breaks_off_is_told_of_too() -> None:
    """It was reached, and nothing came."""

    async def break_off(visit: Visit, _: bytes) -> None:
        visit.reset()

    async with scripted(as_replica(break_off)) as replica, gateway(replica.url, retry={"attempts": 1}) as door:
        reply = await door.http.post(CHAT, json={**BODY, "model": "scripted"})
    assert reply.status_code == 502
    told = names(reply.headers["server-timing"])
    assert told == ["auth", "read", "queue", "route", "connect", "upstream", "total"]
