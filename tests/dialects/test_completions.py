"""Chat completions, taken apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vllm_gateway import codec
from vllm_gateway.dialects.completions import completion_of_stream, read_completion, remembered
from vllm_gateway.errors import ReplicaFailed


def chunk(delta: dict[str, object], **fields: object) -> bytes:
    """Return an event with one choice."""
    choice = {"index": 0, "delta": delta, "finish_reason": fields.pop("finish_reason", None)}
    return b"data: " + codec.dumps({"id": "c", "model": "m", "created": 5, "choices": [choice], **fields}) + b"\n\n"


@given(st.lists(st.text(), max_size=20))
def test_the_text_of_a_stream_is_that_of_its_pieces(pieces: list[str]) -> None:
    """However it was cut, comments and the end aside."""
    stream = b": hello\n\n" + chunk({"role": "assistant", "content": ""})
    stream += b"".join(chunk({"content": piece}) for piece in pieces)
    stream += chunk({}, finish_reason="stop") + b"data: [DONE]\n\n"
    completion = completion_of_stream(stream)
    assert completion["choices"] == [
        {"index": 0, "message": {"role": "assistant", "content": "".join(pieces)}, "finish_reason": "stop"}
    ]
    assert (completion["id"], completion["model"], completion["created"]) == ("c", "m", 5)


def test_tool_calls_are_put_together() -> None:
    """Their names come once, their arguments bit by bit, several calls mixed."""
    stream = b"".join(
        chunk({"tool_calls": [call]})
        for call in (
            {"index": 0, "id": "a", "function": {"name": "add", "arguments": ""}},
            {"index": 1, "id": "b", "function": {"name": "sub", "arguments": '{"y"'}},
            {"index": 0, "function": {"arguments": '{"x":'}},
            {"index": 1, "function": {"arguments": ":2}"}},
            {"index": 0, "function": {"arguments": "1}"}},
        )
    )
    message = completion_of_stream(stream)["choices"][0]["message"]
    assert message["tool_calls"] == [
        {"id": "a", "type": "function", "function": {"name": "add", "arguments": '{"x":1}'}},
        {"id": "b", "type": "function", "function": {"name": "sub", "arguments": '{"y":2}'}},
    ]


def test_the_usage_of_a_stream_is_kept() -> None:
    """It comes in a chunk without a choice."""
    usage = {"prompt_tokens": 3, "completion_tokens": 1}
    stream = chunk({"content": "a"}) + b"data: " + codec.dumps({"choices": [], "usage": usage}) + b"\n\n"
    assert completion_of_stream(stream)["usage"] == usage


@pytest.mark.parametrize("event", [b"data: {\n\n", b"data: []\n\n", b'data: {"choices": [5]}\n\n'])
def test_an_event_that_is_no_chunk_is_a_failure(event: bytes) -> None:
    """Nothing is kept that was not understood."""
    with pytest.raises(ReplicaFailed):
        completion_of_stream(chunk({"content": "a"}) + event)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"choices": []}',
        b'{"choices": [{}]}',
        b'{"choices": [{"message": "x"}]}',
        b'{"choices": [{"message": {}, "finish_reason": "abort"}]}',
    ],
)
def test_an_answer_that_is_no_completion_is_a_failure(body: bytes) -> None:
    """Nor one that the replica gave up."""
    with pytest.raises(ReplicaFailed):
        read_completion(body)


def test_a_completion_is_read_with_all_that_it_holds() -> None:
    """Unknown members too."""
    body = {"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}], "new": 1}
    assert read_completion(codec.dumps(body)) == body


def test_what_later_turns_send_of_an_answer() -> None:
    """Its text and its calls, not its thoughts."""
    call = {"id": "a"}
    message = {"role": "assistant", "content": None, "reasoning": "hm", "tool_calls": [call], "refusal": None}
    assert remembered({"choices": [{"message": message}]}) == {
        "role": "assistant",
        "content": "",
        "tool_calls": [call],
    }
    assert remembered({"choices": [{"message": {"content": "Hi", "tool_calls": []}}]}) == {
        "role": "assistant",
        "content": "Hi",
    }
