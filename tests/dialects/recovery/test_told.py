"""What a stream has told its caller."""

from typing import Any

import pytest

from vllm_gateway import codec
from vllm_gateway.dialects.recovery.told import KEEP_BYTES, Told


def event(choice: dict[str, Any] | None, **more: Any) -> bytes:  # noqa: ANN401 - any members
    """Return an event of a stream."""
    same = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 5, "model": "m"}
    return b"data: " + codec.dumps(same | {"choices": [] if choice is None else [choice]} | more) + b"\n\n"


def said(content: str, *ids: int, index: int = 0) -> bytes:
    """Return an event with a token of an answer."""
    return event({"index": index, "delta": {"content": content}, "finish_reason": None, "token_ids": list(ids)})


ROLE = event({"index": 0, "delta": {"role": "assistant", "content": ""}}, prompt_token_ids=[7, 8], service_tier=None)


def told(*events: bytes) -> Told:
    """Return what events tell."""
    all_told = Told()
    for each in events:
        all_told.keep(each)
    return all_told


def test_a_chat() -> None:
    """Text, ids, prompt and the facts of the stream are known; what is no event of an answer tells nothing."""
    all_told = told(ROLE, said("Hel", 1), b": still here\n\n", said("", 2), said("lo", 3, 4), b"data: [DONE]\n\n")
    choice = all_told.choices[0]
    assert choice.strands == {("content", 0): "Hello"}
    assert choice.last == ("content", 0)
    assert choice.token_ids.tolist() == [1, 2, 3, 4]
    assert choice.has_role
    assert choice.finish_reason is None
    assert all_told.prompt_token_ids is not None
    assert all_told.prompt_token_ids.tolist() == [7, 8]
    assert all_told.facts["id"] == "chatcmpl-1"
    assert all_told.facts["service_tier"] is None
    assert all_told.tokens == 6
    assert not all_told.is_nothing


@pytest.mark.parametrize("events", [(), (ROLE,), (ROLE, said("", 1), said("", 2))])
def test_nothing(events: tuple[bytes, ...]) -> None:
    """Who speaks, and tokens without text, are nothing that another answer would contradict."""
    assert told(*events).is_nothing


def test_all_that_is_text() -> None:
    """Reasoning, refusals and tool calls are kept apart, call by call; the caller's ids of calls are remembered."""
    call = {"index": 0, "delta": {"tool_calls": [{"index": 1, "id": "call-1", "function": {"name": "f"}}]}}
    more = {"index": 0, "delta": {"tool_calls": [{"index": 1, "function": {"arguments": '{"a"'}}]}}
    thought = {"index": 0, "delta": {"reasoning": "Hm."}}
    refused = {"index": 0, "delta": {"refusal": "No"}, "finish_reason": "stop"}
    all_told = told(*map(event, (thought, call, more, more, refused)))
    choice = all_told.choices[0]
    assert choice.strands == {
        ("reasoning", 0): "Hm.",
        ("name", 1): "f",
        ("arguments", 1): '{"a"{"a"',
        ("refusal", 0): "No",
    }
    assert choice.tool_ids == {1: "call-1"}
    assert choice.finish_reason == "stop"


def test_completions() -> None:
    """A completion's text and ids are known, and its prompt's, which stand in its choice."""
    first = {"index": 0, "text": "a", "finish_reason": None, "prompt_token_ids": [7], "token_ids": [1]}
    second = {"index": 0, "text": "b", "finish_reason": "length", "prompt_token_ids": None, "token_ids": [2]}
    all_told = told(event(first), event(second), event(None, usage={"prompt_tokens": 1}, system_fingerprint="v1"))
    assert all_told.choices[0].strands == {("text", 0): "ab"}
    assert all_told.choices[0].token_ids.tolist() == [1, 2]
    assert all_told.choices[0].finish_reason == "length"
    assert all_told.prompt_token_ids is not None
    assert all_told.prompt_token_ids.tolist() == [7]
    assert all_told.is_usage_told
    assert all_told.facts["system_fingerprint"] == "v1"


def test_choices() -> None:
    """Each choice has its own text and ids."""
    all_told = told(ROLE, said("a", 1), said("b", 2, index=1), said("c", 3))
    assert {index: choice.text(("content", 0)) for index, choice in all_told.choices.items()} == {0: "ac", 1: "b"}
    assert all_told.choices[1].token_ids.tolist() == [2]


@pytest.mark.parametrize(
    "broken",
    [
        b'data: {"error":{"message":"x"}}\n\n',
        event({"index": 0, "delta": {"content": "never"}, "finish_reason": "abort"}),
        event({"index": 0, "delta": {"content": "never"}, "finish_reason": "error"}),
        b"data: {no JSON\n\n",
        b"data: 5\n\n",
    ],
)
def test_where_a_replica_gave_up(broken: bytes) -> None:
    """Nothing counts from the event on in which a replica gives up, until another one goes on."""
    all_told = told(ROLE, said("a", 1), broken, said("never"))
    assert all_told.choices[0].text(("content", 0)) == "a"
    all_told.new_leg()
    all_told.keep(said("b", 2))
    assert all_told.choices[0].text(("content", 0)) == "ab"


def test_strange_chunks() -> None:
    """What no replica sends breaks nothing."""
    all_told = told(
        event({"index": None, "delta": None, "token_ids": ["a", -1], "logprobs": {"content": [1, 2]}}),
        event({"index": 0, "delta": {"tool_calls": [None, {"function": None}]}, "text": 5}),
        event({"index": 0, "delta": {"content": 7}, "token_ids": 5, "finish_reason": ["odd"]}),
        event({"index": 0, "text": ["odd"]}),
    )
    assert all_told.is_nothing
    assert all_told.choices[0].logprobs == 2


def test_long_streams_take_little_room() -> None:
    """When much is kept, it is understood and let go, and nothing of it is lost."""
    all_told = Told()
    all_told.keep(ROLE)
    count = 0
    while not all_told.keep(said(f" {count}", count)):
        count += 1
    assert KEEP_BYTES / 300 < count < KEEP_BYTES / 100
    assert all_told.choices[0].text(("content", 0)) == "".join(f" {number}" for number in range(count + 1))
    assert all_told.choices[0].token_ids.tolist() == list(range(count + 1))


def test_ids_of_another_telling() -> None:
    """When an answer is told again from its beginning, its ids take the place of those before; its text does not."""
    all_told = told(ROLE, said("a", 1))
    all_told.forget_ids()
    all_told.take_ids(ROLE + said("a", 5) + said("b", 6))
    assert all_told.choices[0].token_ids.tolist() == [5, 6]
    assert all_told.choices[0].text(("content", 0)) == "a"


def test_forgetting() -> None:
    """Nothing is left of what was told when it is of no use any more."""
    all_told = told(ROLE, said("a", 1))
    all_told.fold()
    all_told.clear()
    assert all_told.is_nothing
    assert all_told.prompt_token_ids is None


def test_chunks_are_counted_before_they_are_understood() -> None:
    """Whoever watches asks every second; the count is the same when they are understood later."""
    all_told = told(ROLE, said("Hel", 1) + said("lo", 2), said("!", 3))
    assert all_told.events == 4
    assert all_told.choices[0].token_ids.tolist() == [1, 2, 3]
    assert all_told.events == 4
