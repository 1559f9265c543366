"""What the events of a stream say, and to which text it belongs."""

import pytest
from hypothesis import given

from tests.dialects.streams import ODD_EVENTS, chunk
from tests.recorded import Recording, recordings
from vllm_gateway import codec
from vllm_gateway.dialects.pieces import pieces_of
from vllm_gateway.dialects.sse import payloads

STREAMS = [each for each in recordings() if each.events]


def test_a_chunk_of_a_chat() -> None:
    """Each choice and each kind of text is a text of its own; an end is told."""
    pieces = pieces_of(chunk("Hi", index=1))
    assert pieces.strands == [(("1", "delta", "content"), "Hi")]
    assert pieces.ended == []
    assert pieces_of(chunk("", "stop", index=1)).ended == ["1"]
    assert pieces_of(chunk("", "stop", index=1)).strands == []


def test_calls_of_tools_are_told_apart() -> None:
    """Arguments come bit by bit, under the index that the call names."""
    call = {"index": 3, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{"}}
    delta = {"role": "assistant", "reasoning": "Hm", "tool_calls": [call]}
    pieces = pieces_of({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    start = ("0", "delta", "tool_calls", "3", "function")
    assert sorted(pieces.strands) == [
        (("0", "delta", "reasoning"), "Hm"),
        ((*start, "arguments"), "{"),
        ((*start, "name"), "f"),
    ]


def test_a_chunk_of_a_completion() -> None:
    """The text of a prompt's completion; probabilities are not said."""
    choice = {"index": 2, "text": "Hi", "logprobs": {"tokens": ["no"]}, "finish_reason": "length"}
    pieces = pieces_of({"choices": [choice]})
    assert (pieces.strands, pieces.ended) == ([(("2", "text"), "Hi")], ["2"])


def test_events_of_a_response() -> None:
    """Deltas go on, what is repeated at the end of an item is whole, and what was asked is not said."""
    delta = {"type": "response.output_text.delta", "delta": "Hi", "item_id": "m", "content_index": 0}
    assert [text for _, text in pieces_of(delta).strands] == ["Hi"]
    done = pieces_of({"type": "response.output_text.done", "text": "Hi there", "item_id": "m"})
    assert (done.wholes, done.ended) == (["Hi there"], ["0"])
    response = {"instructions": "asked", "output": [{"type": "message", "content": [{"text": "Hi there"}]}]}
    completed = pieces_of({"type": "response.completed", "response": response})
    assert (completed.wholes, completed.ended) == (["Hi there"], ["0"])


def test_events_of_a_message() -> None:
    """Each block is a text of its own, and its end is told."""
    delta = {"type": "content_block_delta", "index": 1, "delta": {"type": "thinking_delta", "thinking": "Hm"}}
    assert pieces_of(delta).strands == [(("0", "1", "thinking"), "Hm")]
    tool = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
    start = pieces_of({"type": "content_block_start", "index": 2, "content_block": tool})
    assert start.strands == [(("0", "2", "name"), "f")]
    assert pieces_of({"type": "content_block_stop", "index": 1}).ended == ["0"]
    assert pieces_of({"type": "message_start", "message": {"id": "x", "model": "m"}}).strands == []


@given(ODD_EVENTS)
def test_odd_events_do_no_harm(event: dict[str, object]) -> None:
    """Whatever JSON a replica sends, something can be made of it."""
    assert all(isinstance(text, str) for _, text in pieces_of(event).strands)


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.name)
def test_recorded_streams_say_what_their_events_hold(stream: Recording) -> None:
    """Nothing but words of the model is found in what a real vLLM streamed, and every stream has its end."""
    pieces = [pieces_of(codec.loads(payload)) for payload in payloads(stream.body)]
    said = [text for each in pieces for _, text in each.strands] + [text for each in pieces for text in each.wholes]
    request = codec.loads(stream.request)
    is_error = b'"error"' in stream.body
    assert is_error or (said and any(each.ended for each in pieces))
    assert request["model"] not in said
    assert not any(text.startswith(("chatcmpl", "msg_", "resp_", "cmpl")) for text in said)
