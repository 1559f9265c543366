"""Answers that are made to fit."""

from typing import Any

import pytest

from tests.wire.sims import asked, fast, fleet

HELLO = [{"role": "user", "content": "Hello"}]
CHAT, COMPLETION = "/v1/chat/completions", "/v1/completions"


async def sent(path: str, body: dict[str, Any], *, is_on: bool = True) -> tuple[int, dict[str, Any], list[str]]:
    """Return the status, the body that reached the replica, and every route that it was asked on."""
    async with fleet(fast(max_model_len=256), rules={"clamp_to_context": is_on}) as ((sim,), door):
        reply = await door.http.post(path, json={"model": "sim-small", **body})
        reached = asked(sim, path)
        targets = [seen.target for seen in sim.log.requests if seen.method == "POST"]
    return reply.status_code, reached[0] if reached else {}, targets


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
async def test_an_answer_that_does_not_fit_is_made_shorter(name: str) -> None:
    """What is left of the context behind the exact prompt is asked for, and nothing else changes."""
    status, body, targets = await sent(CHAT, {"messages": HELLO, name: 9000, "seed": 7})
    assert status == 200
    assert 200 < body[name] < 256
    assert (body["messages"], body["seed"], targets) == (HELLO, 7, ["/tokenize", CHAT])


async def test_a_text_is_counted_too() -> None:
    """A completion's prompt has no template around it."""
    status, body, _ = await sent(COMPLETION, {"prompt": "Once upon a time", "max_tokens": 9000})
    assert (status, 200 < body["max_tokens"] < 256) == (200, True)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, {"messages": HELLO, "max_tokens": 5}),
        (CHAT, {"messages": HELLO}),
        (COMPLETION, {"prompt": [1, 2, 3], "max_tokens": 9000}),
    ],
    ids=["it fits", "nothing is named", "tokens"],
)
async def test_what_surely_fits_is_not_counted(path: str, body: dict[str, Any]) -> None:
    """A question to the replica is asked only when the answer can matter."""
    _, reached, targets = await sent(path, body)
    assert (targets, reached.get("max_tokens")) == ([path], body.get("max_tokens"))


async def test_a_prompt_that_leaves_no_room_is_the_replicas_to_refuse() -> None:
    """It says both numbers."""
    status, body, _ = await sent(CHAT, {"messages": [{"role": "user", "content": "x " * 2000}], "max_tokens": 10})
    assert (status, body["max_tokens"]) == (400, 10)


async def test_it_is_off_unless_it_is_wanted() -> None:
    """A number that does not fit is a mistake of the caller's, who is told."""
    status, body, targets = await sent(CHAT, {"messages": HELLO, "max_tokens": 9000}, is_on=False)
    assert (status, body["max_tokens"], targets) == (400, 9000, [CHAT])
