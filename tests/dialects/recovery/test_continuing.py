"""Going on by token ids: what is asked, and what becomes of the answer."""

from typing import Any

import pytest

from tests.dialects.recovery.legs import CHAT, COMPLETIONS, client, heard
from vllm_gateway import codec
from vllm_gateway.dialects.recovery.continuing import Continuation, Request, leg_for
from vllm_gateway.dialects.recovery.cutting import Cut
from vllm_gateway.dialects.recovery.told import Told
from vllm_gateway.errors import ReplicaFailed, ReplicaTruncated
from vllm_gateway.sim.engine import tokens

PROMPT = [7, 8, 9]
DONE = b"data: [DONE]\n\n"


def told(text: str, ids: list[int], prompt: list[int] = PROMPT, **facts: Any) -> Told:  # noqa: ANN401 - any facts
    """Return what a chat stream told."""
    same = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 5, "model": "m"} | facts
    choice = {"index": 0, "delta": {"role": "assistant", "content": text}, "token_ids": ids}
    all_told = Told()
    all_told.take(same | {"choices": [choice], "prompt_token_ids": prompt})
    return all_told


def request(path: str = CHAT, max_model_len: int | None = 100, **fields: Any) -> Request:  # noqa: ANN401 - any fields
    """Return what the first replica was asked."""
    return Request(path, {"model": "m", "stream": True, **fields}, max_model_len)


def leg(text: str, *ids: int, reason: str | None = None, **more: Any) -> bytes:  # noqa: ANN401 - any members
    """Return an event of the next replica."""
    choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": reason, "stop_reason": None}
    choice |= {"prompt_token_ids": PROMPT, "token_ids": list(ids)}
    same = {"id": "cmpl-9", "object": "text_completion", "created": 9, "model": "m"}
    return b"data: " + codec.dumps(same | {"choices": [choice]} | more) + b"\n\n"


def continuation(all_told: Told, asked: Request, held: str = "", kept: int = 2) -> Continuation:
    """Return what takes the next replica's answer."""
    return Continuation(asked, all_told, Cut(kept, held), shows_ids=False)


def body_of(asked: Request, kept: int = 2, ids: int = 5) -> dict[str, Any] | None:
    """Return the body that goes on behind `kept` tokens."""
    question = leg_for(asked, told("a", list(range(ids))), kept)
    if question is None:
        return None
    assert question.path == COMPLETIONS
    body = codec.loads(question.body)
    assert isinstance(body, dict)
    return body


def test_what_is_asked() -> None:
    """The next replica gets the ids up to the cut, all that decides about the next token, and what is left to write."""
    sampling: dict[str, Any] = {
        "temperature": 0.5,
        "top_p": 0.9,
        "seed": 5,
        "stop_token_ids": [3],
        "cache_salt": "s",
        "priority": 1,
    }
    others: dict[str, Any] = {"messages": [], "tools": [], "stream_options": {"include_usage": True}, "min_p": None}
    assert body_of(request(max_tokens=10, min_tokens=4, **sampling, **others)) == {
        "model": "m",
        **sampling,
        "stream_options": {"include_usage": True},
        "prompt": [7, 8, 9, 0, 1],
        "add_special_tokens": False,
        "max_tokens": 8,
        "min_tokens": 2,
        "stream": True,
        "return_token_ids": True,
    }


@pytest.mark.parametrize(
    ("asked", "left"),
    [
        (request(max_tokens=10), 8),
        (request(max_tokens=10, max_completion_tokens=20), 18),
        (request(max_tokens=1000), 95),
        (request(), 95),
        (request(max_tokens=10, max_model_len=None), 8),
        (request(COMPLETIONS), 14),
        (request(COMPLETIONS, max_tokens=20, max_completion_tokens=9), 18),
    ],
)
def test_how_much_is_left(asked: Request, left: int) -> None:
    """The answer may become as long as it might have become without a break."""
    body = body_of(asked)
    assert body is not None
    assert body["max_tokens"] == left


@pytest.mark.parametrize("asked", [request(max_model_len=None), request(max_tokens=2), request(max_model_len=5)])
def test_nothing_left(asked: Request) -> None:
    """Nothing is asked when no token is left, or when nobody knows how many may come."""
    assert body_of(asked) is None


def test_a_text_without_ids() -> None:
    """Nothing is asked when the prompt's ids are not known."""
    assert leg_for(request(max_tokens=9), Told(), 0) is None


def test_stop_strings_are_looked_for_here() -> None:
    """The next replica tells its stop strings along, because here they are cut off in both halves alike."""
    body = body_of(request(max_tokens=9, stop="x"))
    assert body is not None
    assert body["stop"] == "x"
    assert body["include_stop_str_in_output"] is True


def test_the_rest_has_the_first_stream_s_shape() -> None:
    """The rest of a chat is a chat's, of the same id, time and model; the usage is that of both halves."""
    all_told = told("Hi", [1, 2])
    rest = continuation(all_told, request(max_tokens=9, stream_options={"include_usage": True}))
    usage = {
        "prompt_tokens": 5,
        "completion_tokens": 2,
        "total_tokens": 7,
        "prompt_tokens_details": {"cached_tokens": 4},
    }
    out = rest.feed(leg(" there", 3) + b": alive\n\n" + leg("!", 4, reason="stop", usage=usage))
    out += rest.feed(b'data: {"choices":[],"usage":' + codec.dumps(usage) + b',"metrics":{"a":1}}\n\n' + DONE)
    assert b": alive\n\n" in out
    assert b"metrics" not in out
    assert b"cached" not in out
    again = heard(out)
    assert again.texts == {"content": " there!"}
    assert again.said_by == {("chatcmpl-1", "chat.completion.chunk", 5, "m")}
    assert again.usages == [(3, 4, 7)]
    assert (again.roles, again.ends, again.reasons, again.token_ids) == (0, 1, [("stop", None)], [])
    assert all_told.choices[0].text(("content", 0)) == "Hi there!"
    assert all_told.choices[0].token_ids.tolist() == [1, 2, 3, 4]
    assert all_told.choices[0].finish_reason == "stop"


def test_dropped_tokens() -> None:
    """Ids behind the cut are forgotten: the next replica writes others in their place."""
    all_told = told("Hi", [1, 2, 3])
    continuation(all_told, request()).feed(leg("!", 4))
    assert all_told.choices[0].token_ids.tolist() == [1, 2, 4]


def test_a_stop_string_across_the_cut() -> None:
    """A stop string that begins in one half and ends in the other ends the answer, whatever its replica says next."""
    asked = request(stop=["\nUser:"], stream_options={"include_usage": True})
    all_told = told("Hi", [1, 2], system_fingerprint="v1")
    rest = continuation(all_told, asked, held="\nUser")
    out = rest.feed(leg(": not", 3) + leg(" this", 4))
    again = heard(out)
    assert rest.is_over
    assert again.texts == {"content": ""}
    assert again.reasons == [("stop", "\nUser:")]
    assert again.usages == [(3, 3, 6)]
    assert again.fingerprints == ["v1"]
    assert again.ends == 1
    assert rest.feed(leg(" more", 5) + DONE) == b""


@pytest.mark.parametrize("reason", ["abort", "error"])
def test_a_replica_that_gives_up(reason: str) -> None:
    """The end of a replica that gives up passes as it is, for the watch; nothing from there on counts as told."""
    all_told = told("Hi", [1, 2])
    rest = continuation(all_told, request())
    gone = leg("never", 3, reason=reason)
    assert rest.feed(gone + leg("never", 4)) == gone + leg("never", 4)
    assert all_told.choices[0].text(("content", 0)) == "Hi"


def test_an_error_event() -> None:
    """An error event passes as it is."""
    error = b'data: {"error":{"message":"x"}}\n\n'
    assert continuation(told("Hi", [1, 2]), request()).feed(error + DONE) == error + DONE


def test_no_json() -> None:
    """A replica that sends no JSON failed, and nothing of what it sent along counts as told."""
    all_told = told("Hi", [1, 2])
    with pytest.raises(ReplicaFailed):
        continuation(all_told, request()).feed(leg(" there", 3) + b"data: {oops\n\n")
    assert all_told.choices[0].text(("content", 0)) == "Hi"


def test_a_prompt_that_comes_out_again() -> None:
    """A first text that is longer than tokens are, or that has what was told in it, is no continuation."""
    cut = Cut(2, "", "\nassistant\nYes,")
    for dump in ("x" * 300, "be brief\nWhy?\nassistant\nYes, in"):
        with pytest.raises(ReplicaTruncated):
            Continuation(request(), told("Yes,", [1, 2]), cut, shows_ids=False).feed(leg(dump, 3))
    rest = Continuation(request(), told("Yes,", [1, 2]), cut, shows_ids=False)
    rest.feed(leg("", 3) + leg(" " * 128, 4))
    rest.feed(leg("x" * 300, 5))  # what comes later may be of many tokens at once
    short = Continuation(request(), told("*", [1, 2]), Cut(2, "", "*"), shows_ids=False)
    assert heard(short.feed(leg("****", 3))).texts == {"content": "****"}


async def test_a_cut_inside_a_character() -> None:
    """What a replica gives whose prompt ends inside a character is found out, and nothing of it goes on."""
    prompt = tokens.render_chat([("system", "Be brief."), ("user", "Why?")])
    ids = [*tokens.encode("Because "), *"🙂".encode()[:2]]
    all_told = told("Because ", ids, prompt)
    asked = request(model="sim-small", max_tokens=30, temperature=0)
    question = leg_for(asked, all_told, len(ids))
    assert question is not None
    async with client() as line:
        stream = await line.stream(question)
    assert "Be brief." in "".join(heard(stream).texts.values())
    rest = Continuation(asked, all_told, Cut(len(ids), "", "Be brief.Why?Because "), shows_ids=False)
    with pytest.raises(ReplicaTruncated):
        rest.feed(stream)
