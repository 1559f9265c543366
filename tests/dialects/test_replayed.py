"""A whole answer in the form that it did not have."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.dialects.streams import DONE, LAST, TOKEN, USAGE, USAGE_EVENT, chunk, data
from vllm_gateway import codec
from vllm_gateway.dialects.replayed import (
    answer_of,
    events_of,
    is_complete,
    is_settled,
    split_usage,
    usage_json,
    with_usage,
)
from vllm_gateway.dialects.sse import payloads
from vllm_gateway.errors import ReplicaFailed
from vllm_gateway.exchange import Usage

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
CALLS = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.text("abc", min_size=1, max_size=4),
            "type": st.just("function"),
            "function": st.fixed_dictionaries({"name": st.just("look"), "arguments": TEXT}),
        }
    ),
    min_size=1,
    max_size=3,
)
ENDS = st.sampled_from(["stop", "length", "tool_calls"])


def completion(*choices: dict[str, Any], name: str = "chat.completion") -> dict[str, Any]:
    """Return an answer in one piece."""
    return {"id": "c", "object": name, "created": 1, "model": "m", "choices": list(choices), "usage": USAGE}


@st.composite
def messages(draw: st.DrawFn) -> dict[str, Any]:
    """Return what an assistant says."""
    calls = draw(st.none() | CALLS)
    content = draw(TEXT) if calls is None else (draw(TEXT) or None)
    message = {"role": "assistant", "content": content}
    reasoning = draw(st.none() | TEXT.filter(bool))
    if reasoning is not None:
        message["reasoning"] = reasoning
    return message if calls is None else {**message, "tool_calls": calls}


@given(st.lists(st.tuples(messages(), ENDS), min_size=1, max_size=3))
def test_a_chat_becomes_a_stream_and_a_chat_again(said: list[tuple[dict[str, Any], str]]) -> None:
    """Every choice, every call, and what was thought before."""
    choices = [
        {"index": at, "message": message, "logprobs": None, "finish_reason": end, "stop_reason": None}
        for at, (message, end) in enumerate(said)
    ]
    answer = codec.dumps(completion(*choices))
    events = events_of(answer)
    assert is_complete(answer, len(said))
    assert is_complete(events, len(said))
    assert codec.loads(answer_of(events, codec.dumps(USAGE))) == codec.loads(answer)


@given(st.lists(TEXT, min_size=1, max_size=3))
def test_a_completion_becomes_a_stream_and_a_completion_again(texts: list[str]) -> None:
    """It has the same name in both forms."""
    choices = [
        {"index": at, "text": text, "logprobs": None, "finish_reason": "length", "stop_reason": None}
        for at, text in enumerate(texts)
    ]
    answer = codec.dumps(completion(*choices, name="text_completion"))
    assert codec.loads(answer_of(events_of(answer), codec.dumps(USAGE))) == codec.loads(answer)


@given(TEXT, st.integers(1, 12))
def test_a_stream_of_pieces_is_one_text(text: str, size: int) -> None:
    """However the model cut it."""
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    events = b"".join(data(chunk(piece)) for piece in pieces) + LAST + DONE
    choice = codec.loads(answer_of(events, b""))["choices"][0]
    assert choice == {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}


def test_the_arguments_of_calls_are_put_together() -> None:
    """Calls come bit by bit, and may be mixed; one who only calls says nothing."""
    deltas: list[dict[str, Any]] = [
        {"role": "assistant", "content": ""},
        {"tool_calls": [{"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}]},
        {"tool_calls": [{"index": 1, "id": "b", "type": "function", "function": {"name": "g", "arguments": "{"}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": "[1"}}, {"index": 1, "function": {"arguments": "}"}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": "]"}}]},
    ]
    events = b"".join(data({**chunk(""), "choices": [{"index": 0, "delta": each}]}) for each in deltas)
    events += data({**chunk(""), "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}) + DONE
    message = codec.loads(answer_of(events, b""))["choices"][0]["message"]
    assert message == {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "f", "arguments": "[1]"}},
            {"id": "b", "type": "function", "function": {"name": "g", "arguments": "{}"}},
        ],
    }


def test_a_stream_begins_as_vllm_begins_it() -> None:
    """First the role, then what is said, at last why it ended."""
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
    events = events_of(codec.dumps(completion(choice)))
    chunks = [codec.loads(each) for each in payloads(events)]
    assert [each["choices"][0]["delta"] for each in chunks] == [
        {"role": "assistant", "content": ""},
        {"content": "Hi"},
        {},
    ]
    assert {each["object"] for each in chunks} == {"chat.completion.chunk"}
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert events.endswith(DONE)


def test_usage_is_taken_out_and_put_back() -> None:
    """It is one event of its own, before the end."""
    events = TOKEN + LAST + USAGE_EVENT + DONE
    without, usage = split_usage(events)
    assert (without, codec.loads(usage)) == (TOKEN + LAST + DONE, USAGE)
    again = [codec.loads(each) for each in payloads(with_usage(without, usage))]
    assert again[-1] == {"id": "c", "object": "chat.completion.chunk", "choices": [], "usage": USAGE}
    assert with_usage(without, usage).endswith(DONE)
    assert with_usage(TOKEN, usage).startswith(TOKEN)


@pytest.mark.parametrize(
    "events",
    [
        TOKEN + LAST + DONE,
        data(chunk('"choices":[]')) + LAST + DONE,
        data({"choices": [], "usage": None}) + DONE,
        data({"inner": {"choices": []}, "usage": USAGE}) + DONE,
    ],
)
def test_what_only_looks_like_usage_stays(events: bytes) -> None:
    """A model may write anything."""
    assert split_usage(events) == (events, b"")


@pytest.mark.parametrize(
    ("answer", "choices", "expected"),
    [
        (LAST, 1, True),
        (b'{"finish_reason": "length"}', 1, True),
        (data(chunk("", "tool_calls")), 1, True),
        (data(chunk("", "abort")), 1, False),
        (data(chunk("", "content_filter")), 1, False),
        (data(chunk("", "error")), 1, False),
        (LAST, 2, False),
        (LAST + LAST, 1, False),
        (LAST + data(chunk("", "abort", 1)), 2, False),
        (TOKEN, 1, False),
        (data(chunk('"finish_reason":"abort"')) + LAST, 1, True),
        (LAST.replace(b"\n", b"\r\n"), 1, False),
        (b"", 1, False),
    ],
)
def test_complete_is_what_ended_as_it_should(answer: bytes, choices: int, *, expected: bool) -> None:
    """Stopped, full, or calling; each choice, and nothing that the model wrote counts."""
    assert is_complete(answer, choices) is expected


def test_what_a_replica_gave_up_is_not_settled() -> None:
    """Another end is one, be it not the best; what knows no such reasons is taken as it is."""
    settled = [LAST, data(chunk("", "content_filter")), b'{"stop_reason":"end_turn"}', data(chunk('"abort"')) + LAST]
    assert [is_settled(answer) for answer in settled] == [True] * 4
    assert not is_settled(LAST + data(chunk("", "abort", 1)))
    assert not is_settled(data(chunk("", "error")))


def test_a_usage_is_written_as_vllm_writes_it() -> None:
    """With the cached tokens where there are some; nothing where nothing is known."""
    assert usage_json(None) == b""
    assert codec.loads(usage_json(Usage(7, 2))) == USAGE
    assert codec.loads(usage_json(Usage(7, 2, 4)))["prompt_tokens_details"] == {"cached_tokens": 4}


@pytest.mark.parametrize("answer", [b"{", b"[]", b"{}", b'{"choices":[{}]}', b'{"choices":[{"index":0}]}', b"1"])
def test_an_answer_that_is_none_becomes_no_stream(answer: bytes) -> None:
    """It is one error, not any."""
    with pytest.raises(ReplicaFailed):
        events_of(answer)


@pytest.mark.parametrize("event", [b"[]", b"{", b'{"object":"o","choices":[{}]}', b'{"choices":[]}', b"3"])
def test_a_stream_that_is_none_becomes_no_answer(event: bytes) -> None:
    """It is one error, not any."""
    with pytest.raises(ReplicaFailed):
        answer_of(b"data: " + event + b"\n\n", b"")
