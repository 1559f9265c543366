"""What an answer says."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vllm_gateway import codec
from vllm_gateway.bench.load.answer import Answer
from vllm_gateway.bench.load.record import Record

USAGE = {"prompt_tokens": 7, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}}


def event(value: Any) -> bytes:  # noqa: ANN401 - JSON is any of its types
    """Return one server-sent event."""
    return b"data: " + (value if isinstance(value, bytes) else codec.dumps(value)) + b"\n\n"


def delta(finish: str | None = None, **said: Any) -> bytes:  # noqa: ANN401 - JSON is any of its types
    """Return an event of a chat."""
    return event({"choices": [{"index": 0, "delta": said, "finish_reason": finish}]})


ROLE = delta(role="assistant", content="")
END = event({"choices": [], "usage": USAGE, "metrics": {"queue_time_ms": 12.5}}) + event(b"[DONE]")


def heard(*parts: bytes, status: int = 200, is_stream: bool = True) -> Answer:
    """Let an answer hear its parts, one each second from 10 on, and its end a second after them."""
    answer = Answer(Record("m", 9.0), is_stream=is_stream)
    answer.begin(status, 9.5)
    for second, part in enumerate(parts, 10):
        answer.feed(part, float(second))
    answer.end(float(10 + len(parts)))
    return answer


def test_a_stream_is_timed_by_its_outputs() -> None:
    """Not by the announcement of the role, nor by what follows the last output."""
    record = heard(ROLE, delta(content="a"), delta(content="b"), delta("stop", content=""), END).record
    assert (record.error, record.first_byte_at, record.first_output_at, record.last_output_at) == (None, 9.5, 11, 13)
    assert record.gaps_s == [1, 1]
    assert (record.input_tokens, record.output_tokens, record.cached_tokens, record.queue_s) == (7, 2, 4, 0.0125)
    assert (record.events, record.status) == (6, 200)


def test_what_the_model_says_is_kept() -> None:
    """For the next turn of a conversation."""
    assert "".join(heard(ROLE, delta(content="Hel"), delta("stop", content="lo"), END).texts) == "Hello"
    body = codec.dumps({"choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}], "usage": USAGE})
    assert heard(body, is_stream=False).texts == ["Hello"]


@pytest.mark.parametrize(
    "said",
    [
        {"content": ""},
        {"reasoning": "hm"},
        {"reasoning_content": "hm"},
        {"tool_calls": [{"index": 0}]},
        {"role": "assistant", "content": "a"},
    ],
)
def test_an_output_may_have_no_text(said: dict[str, Any]) -> None:
    """Its token is a part of a character, a thought, or a part of a call."""
    record = heard(ROLE, delta(**said), delta("stop"), END).record
    assert (record.error, record.first_output_at, record.last_output_at) == (None, 11, 11)


def test_completions_have_their_text_elsewhere() -> None:
    """An empty one is an output too."""
    parts = [event({"choices": [{"text": text, "finish_reason": None}]}) for text in ("a", "")]
    record = heard(*parts, event({"choices": [{"text": "b", "finish_reason": "stop"}]}), END).record
    assert (record.error, record.first_output_at, record.gaps_s) == (None, 10, [1, 1])


@given(st.lists(st.integers(1, 40), max_size=30), st.booleans())
def test_it_does_not_matter_where_bytes_are_cut(cuts: list[int], has_returns: bool) -> None:
    """Inside an event, a line end or a character; comments and other line ends are understood."""
    whole = b": ping\n\n" + ROLE + b"event: x\n" + delta(content="é") + delta("stop", content="!") + END
    whole = whole.replace(b"\n", b"\r\n") if has_returns else whole
    parts, at = [], 0
    for cut in cuts:
        parts.append(whole[at : at + cut])
        at += cut
    answer = heard(*parts, whole[at:])
    assert (answer.record.error, "".join(answer.texts), answer.record.events) == (None, "é!", 5)
    assert len(answer.record.gaps_s) == 1


@pytest.mark.parametrize(
    ("parts", "kind"),
    [
        ([ROLE, delta(content="a"), event(b"[DONE]")], "truncated"),
        ([ROLE, delta(content="a"), delta("stop")], "truncated"),
        ([ROLE, delta("stop"), END], "empty"),
        ([ROLE, delta(content="a"), delta("abort"), END], "aborted"),
        ([ROLE, delta(content="a"), event({"error": {"message": "x"}}), event(b"[DONE]")], "error_event"),
        ([ROLE, event(b"{nonsense"), delta("stop", content="a"), END], "malformed"),
        ([ROLE, event(b"[1]"), delta("stop", content="a"), END], "malformed"),
    ],
)
def test_a_stream_that_is_not_right_fails(parts: list[bytes], kind: str) -> None:
    """Although its status is 200; the first thing that is wrong counts."""
    record = heard(*parts).record
    assert record.error == kind
    assert record.error_text


def test_another_status_fails_with_its_words() -> None:
    """Also where a stream was asked for."""
    record = heard(b'{"error"', b': "busy"}', status=503).record
    assert (record.error, record.error_text, record.status) == ("http_503", '{"error": "busy"}', 503)


def whole(**changes: Any) -> bytes:  # noqa: ANN401 - JSON is any of its types
    """Return an answer in one piece."""
    body = {"choices": [{"message": {"content": "a"}, "finish_reason": "stop"}], "usage": USAGE}
    return codec.dumps(body | changes)


def test_an_answer_in_one_piece_ends_with_its_end() -> None:
    """It has no first output; an embedding has no tokens out."""
    record = heard(whole()[:20], whole()[20:], is_stream=False).record
    assert (record.error, record.first_output_at, record.last_output_at, record.output_tokens) == (None, None, 12, 2)
    record = heard(codec.dumps({"data": [{}], "usage": {"prompt_tokens": 3}}), is_stream=False).record
    assert (record.error, record.input_tokens, record.output_tokens) == (None, 3, 0)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (lambda: b"<html>", "malformed"),
        (lambda: b"[]", "malformed"),
        (lambda: whole(choices=[]), "empty"),
        (lambda: whole(choices=[{"text": "a", "finish_reason": "abort"}]), "aborted"),
    ],
)
def test_a_piece_that_is_not_right_fails(body: Callable[[], bytes], kind: str) -> None:
    """Although its status is 200."""
    assert heard(body(), is_stream=False).record.error == kind


def test_nothing_is_guessed_without_usage() -> None:
    """Its tokens stay unknown, however many events there were."""
    record = heard(ROLE, delta("stop", content="a"), event(b"[DONE]")).record
    assert (record.error, record.input_tokens, record.output_tokens) == (None, None, None)
