"""Streams whose replica dies over real sockets: their callers notice nothing, or are told."""

import asyncio
from typing import Any

import pytest

from tests.waiting import until
from tests.wire.breaking import BODIES, CHAT, COMPLETIONS, GREEDY, MESSAGES, REPLAYED, TOKENS, fragile, is_broken, told
from tests.wire.sims import fast
from tests.wire.talking import SESSIONS, history, new, state
from vllm_gateway.outcomes import Outcome

ROUTES = pytest.mark.parametrize("path", BODIES)
FAULTS = ["reset", "eof", "cut=event", "cut=chunk", "error", "abort", "garbage"]
PLACED = [f"{fault}@{token}" for fault in FAULTS for token in (2, TOKENS - 1)] + [
    "reset@9",
    "cut=char@2",
    "cut=char@12",
]
"""Faults at the beginning of an answer, in its middle, and before its last token."""


@ROUTES
@pytest.mark.parametrize("fault", PLACED)
async def test_a_caller_does_not_notice(path: str, fault: str) -> None:
    """F-03, F-04, F-05: whatever breaks, the stream is the uninterrupted one, in the first replica's name."""
    async with fragile() as run:
        wanted = told(await run.stream(path, BODIES[path]))
        got = told(await run.stream(path, BODIES[path], fault))
        outcomes = run.door.parts.ledger.outcomes
        assert run.asked() == [path, COMPLETIONS]
    assert got == wanted
    assert (got["streams"], got["done"], len(got["ends"]), got["errors"]) == (1, 1, 1, 0)
    assert outcomes == {Outcome.OK: 1, Outcome.OK_RESUMED: 1}


@ROUTES
@pytest.mark.parametrize("fault", FAULTS)
async def test_an_answer_that_breaks_off_at_once_begins_anew(path: str, fault: str) -> None:
    """F-03: where nothing was told yet but who speaks, that is not told twice."""
    async with fragile() as run:
        wanted = told(await run.stream(path, BODIES[path]))
        got = told(await run.stream(path, BODIES[path], f"{fault}@1"))
        assert len(run.asked()) == 2
    assert got == wanted
    assert (got["streams"], got["done"], len(got["ends"]), got["errors"]) == (1, 1, 1, 0)


@ROUTES
@pytest.mark.parametrize("token", [0, 1, 2, 10, TOKENS - 1, TOKENS])
async def test_a_reset_behind_any_token_is_not_noticed(path: str, token: int) -> None:
    """F-03, D-02: before the first, behind the last or between, the stream is whole: no token lost, none twice."""
    async with fragile() as run:
        body = BODIES[path] | {"return_token_ids": True}
        wanted = told(await run.stream(path, body))
        got = told(await run.stream(path, body, f"reset@{token}"))
        assert run.faults == []
    assert got == wanted
    assert len(got["ids"]) == TOKENS


@ROUTES
async def test_silence_is_a_failure_too(path: str) -> None:
    """F-06: a replica that says nothing for longer than it may is left, and the stream goes on."""
    async with fragile(timeouts={"idle_s": 0.2}) as run:
        wanted = told(await run.stream(path, BODIES[path]))
        got = told(await run.stream(path, BODIES[path], "stall@5"))
    assert got == wanted


@ROUTES
@pytest.mark.parametrize("fault", ["reset@5", "cut=char@3"])
async def test_who_asks_for_ids_gets_each_once(path: str, fault: str) -> None:
    """Ids are passed on where they were asked for, and only there."""
    async with fragile() as run:
        body = BODIES[path] | {"return_token_ids": True}
        wanted = told(await run.stream(path, body))
        got = told(await run.stream(path, body, fault))
        silent = told(await run.stream(path, BODIES[path], fault))
    assert len(wanted["ids"]) == TOKENS
    assert got == wanted
    assert silent["ids"] == []


async def test_sampled_answers_go_on() -> None:
    """What another replica draws is its own; the stream is one, and as long as it was to be."""
    async with fragile() as run:
        body = {name: value for name, value in BODIES[CHAT].items() if name != "temperature"}
        got = told(await run.stream(CHAT, body, "reset@9"))
        assert run.asked() == [CHAT, COMPLETIONS]
    assert (got["streams"], got["done"], got["ends"], got["roles"]) == (1, 1, [(0, "length")], {0: 1})
    assert got["usage"][0]["completion_tokens"] == TOKENS


async def test_what_is_not_safe_is_told() -> None:
    """F-03: a stream sampled with a penalty ends with one error event and no end: another replica cannot go on."""
    async with fragile() as run:
        body = BODIES[CHAT] | {"temperature": 0.8, "presence_penalty": 0.5}
        stream = await run.stream(CHAT, body, "reset@9")
        assert run.asked() == [CHAT]
        assert run.door.parts.ledger.outcomes == {Outcome.UPSTREAM_TRUNCATED: 1}
    assert is_broken(stream)


async def test_nothing_goes_on_where_it_is_switched_off() -> None:
    """A stream that breaks off ends with an error event, and nobody is asked for ids."""
    async with fragile(resume={"enabled": False}) as run:
        stream = await run.stream(CHAT, BODIES[CHAT], "reset@9")
        bodies = [each.body for sim in run.sims for each in sim.log.requests if each.target == CHAT]
    assert is_broken(stream)
    assert len(bodies) == 1
    assert b"token_ids" not in bodies[0]


TALKS: dict[str, dict[str, Any]] = {
    "/chat": MESSAGES | {"stream": True},
    "/api/chat": MESSAGES,
    "/api/chat/stream": {"message": "emoji"},
}


@pytest.mark.parametrize("path", TALKS)
async def test_simple_routes_go_on_too(path: str) -> None:
    """Their streams are a chat's underneath."""
    async with fragile() as run:
        body = {"model": "sim-small", "max_tokens": TOKENS, "temperature": 0, **TALKS[path]}
        wanted = told(await run.stream(path, body))
        got = told(await run.stream(path, body, "cut=char@3"))
        assert run.door.parts.ledger.outcomes[Outcome.OK_RESUMED] == 1
    assert got == wanted
    assert (got["done"], len(got["ends"]), got["usage"]) == (1, 1, [])


async def test_a_turn_of_a_session_is_kept_whole() -> None:
    """The conversation has what its caller was told, and the tokens of the whole answer."""
    body = {"message": "Tell me a story", "max_tokens": TOKENS, "temperature": 0, "stream": True}
    seen = []
    for faults in ([], ["reset@5"]):
        async with fragile() as run:
            session = await new(run.door)
            stream = told(await run.stream(f"{SESSIONS}/{session}/chat", body, *faults))
            seen.append((stream, await history(run.door, session), (await state(run.door, session))["usage"]))
            assert run.door.parts.ledger.outcomes[Outcome.OK_RESUMED] == len(faults)
    whole, resumed = seen
    assert resumed == whole
    assert resumed[1][1] == ("assistant", resumed[0]["texts"][0])


IDS_HEARD = REPLAYED["seed"] | {"return_token_ids": True}


@pytest.mark.parametrize(
    ("kind", "faults"),
    [
        ({}, ["reset@5", "eof@9"]),
        ({}, ["abort@1", "reset@9"]),
        ({"return_token_ids": True}, ["reset@5", "eof@9"]),
        (REPLAYED["choices"], ["reset@5", "eof@9"]),
        (REPLAYED["choices"], ["reset@9", "eof@5"]),
        (IDS_HEARD, ["reset@5", "reset@9"]),
        (IDS_HEARD, ["reset@9", "reset@8"]),
    ],
)
async def test_a_third_replica_goes_on_where_the_second_fails(kind: dict[str, Any], faults: list[str]) -> None:
    """By ids or by hearing it again, and wherever the second one breaks off, the caller sees one whole stream."""
    async with fragile(3) as run:
        body = BODIES[CHAT] | kind
        wanted = told(await run.stream(CHAT, body))
        got = told(await run.stream(CHAT, body, *faults))
        assert len(run.asked()) == 3
    assert got == wanted


@pytest.mark.parametrize("kind", [{}, REPLAYED["choices"]])
async def test_a_stream_goes_on_only_so_often(kind: dict[str, Any]) -> None:
    """F-26: when replica after replica fails there is one error event, after no more of them than the settings say."""
    async with fragile(4) as run:
        stream = await run.stream(CHAT, BODIES[CHAT] | kind, *["reset@4"] * 4)
        assert len(run.asked()) == 1 + 2
        assert run.door.parts.ledger.outcomes == {Outcome.UPSTREAM_TRUNCATED: 1}
    assert is_broken(stream)


async def test_without_a_budget_a_stream_goes_on_once() -> None:
    """F-26: the first time costs nothing; after that there is one error event, and nobody else is asked."""
    async with fragile(4, retry={"budget_percent": 0}) as run:
        stream = await run.stream(CHAT, BODIES[CHAT], *["reset@4"] * 4)
        assert len(run.asked()) == 2
    assert is_broken(stream)


async def test_when_all_replicas_fail_it_is_told() -> None:
    """F-26: what was told stays right: it is the beginning of the answer."""
    async with fragile() as run:
        whole = told(await run.stream(CHAT, BODIES[CHAT]))["texts"][0]
        stream = await run.stream(CHAT, BODIES[CHAT], "reset@4", "reset@4")
    assert is_broken(stream)
    begun = told(stream)["texts"][0]
    assert begun
    assert whole.startswith(begun)


async def test_a_caller_who_leaves_during_the_change_is_answered_no_more() -> None:
    """F-27: no replica works on for nobody: the last one is stopped long before its end."""
    async with fragile(2, fast(itl_ms=20)) as run:
        run.faults[:] = ["reset@4"]
        async with run.door.http.stream("POST", CHAT, json=BODIES[CHAT] | {"max_tokens": 500}) as reply:
            async for _ in reply.aiter_raw():
                if not run.faults and COMPLETIONS in run.asked():
                    break
        await until(lambda: run.door.parts.ledger.outcomes == {Outcome.CLIENT_GONE: 1})
        seen = [each for sim in run.sims for each in sim.log.requests if each.target == COMPLETIONS]
        await until(lambda: all(each.gone_at is not None for each in seen))
        assert all(each.tokens < 250 for each in seen)
        assert all(replica.outstanding == 0 and replica.work == 0 for replica in run.door.parts.pool.replicas)
    assert len(seen) == 1


async def test_a_caller_who_leaves_before_the_change_causes_none() -> None:
    """F-27: when the replica fails and the caller is gone already, nobody else is asked."""
    async with fragile(2, fast(ttft_ms=0, itl_ms=30)) as run:
        run.faults[:] = ["reset@4"]
        async with run.door.http.stream("POST", CHAT, json=BODIES[CHAT]) as reply:
            async for _ in reply.aiter_raw():
                break
        await until(lambda: run.door.parts.ledger.outcomes == {Outcome.CLIENT_GONE: 1})
        await asyncio.sleep(0.15)
        assert run.asked() == [CHAT]


@pytest.mark.parametrize("kind", [{}, REPLAYED["choices"]])
async def test_the_bill_is_that_of_one_whole_answer(kind: dict[str, Any]) -> None:
    """D-05: tokens that two replicas worked on are counted once."""
    bills = []
    for faults in ([], ["reset@7"]):
        async with fragile(limits={"tokens_per_day": 100_000}) as run:
            stream = await run.stream(CHAT, BODIES[CHAT] | kind, *faults)
            after = await run.door.http.post(CHAT, json=GREEDY | MESSAGES | {"stream": False, "stream_options": None})
            bills.append((int(after.headers["x-ratelimit-remaining-tokens"]), told(stream)))
    assert bills[0] == bills[1]
    assert bills[0][0] < 100_000


@pytest.mark.parametrize("kind", [{}, REPLAYED["choices"]])
async def test_nothing_denied_leaves_over_the_seam(kind: dict[str, Any]) -> None:
    """A denied word that begins on one replica and ends on another is found; the harmless rest is the same."""
    body = BODIES[CHAT] | kind
    async with fragile() as run:
        whole = told(await run.stream(CHAT, body))["texts"][0]
    words = whole.split()
    place, word = next((place, word) for place, word in enumerate(words[5:], 5) if word.isalpha() and len(word) > 4)
    rules = {"deny_output": True, "deny_window": 16}
    for token in (3, place - 1, place, place + 1, place + 2):  # its first letters are told, or all of them but one
        async with fragile(rules=rules | {"deny_words": [word]}) as run:
            got = told(await run.stream(CHAT, body, f"reset@{token}"))
        assert not any(word in text for text in got["texts"].values())
        assert "rules of this gateway" in str(got["last"])
    async with fragile(rules=rules | {"deny_words": ["unheardof"]}) as run:
        got = told(await run.stream(CHAT, body, "reset@9"))
    assert got["texts"][0] == whole
