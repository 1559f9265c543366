"""Streams, looked at while they pass: what goes in comes out, in whole events, and no end is taken for another."""

import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.dialects.streams import (
    DONE,
    ERROR_EVENT,
    JUNK,
    LAST,
    ODD_EVENTS,
    TOKEN,
    USAGE,
    chunk,
    cuts,
    data,
    ends,
    has_said_all,
    is_telling,
    passed,
    pieces,
    streams,
)
from tests.exchanges import OPERATIONS
from tests.recorded import Recording, recording, recordings
from vllm_gateway import codec
from vllm_gateway.dialects import sse
from vllm_gateway.dialects.anthropic import MESSAGE_EVENTS
from vllm_gateway.dialects.openai import CHUNKS, RESPONSE_EVENTS
from vllm_gateway.dialects.sse import MAX_EVENT_BYTES, Marks, PlainWatch, StreamWatch
from vllm_gateway.errors import ReplicaFailed
from vllm_gateway.exchange import Usage, Watch

STREAMS = [each for each in recordings() if each.events]
"""Every answer that a real vLLM streamed."""
DIALECTS = [CHUNKS, RESPONSE_EVENTS, MESSAGE_EVENTS]


def watch_over(stream: Recording) -> Watch:
    """Return the watch that the gateway would set over this answer."""
    return OPERATIONS[stream.path].read(stream.request).new_watch()


@given(cuts(streams()))
def test_a_stream_passes_unchanged_however_it_is_cut(drawn: tuple[list[bytes], list[bytes]]) -> None:
    """Reads may end anywhere: the same bytes come out, each time up to the end of an event, and the end is seen."""
    events, reads = drawn
    watch = StreamWatch(CHUNKS)
    out = b""
    for read in reads:
        out += watch.feed(read)
        assert len(out) in {0, *ends(events)}
    assert out == b"".join(events)
    assert watch.error is None
    assert has_said_all(watch)
    assert watch.usage == Usage(7, 2)


@given(cuts(streams(is_finished=False)))
def test_a_stream_without_a_finish_is_never_complete(drawn: tuple[list[bytes], list[bytes]]) -> None:
    """What a model writes cannot end its answer, whatever it looks like."""
    events, reads = drawn
    watch = StreamWatch(CHUNKS)
    assert passed(watch, reads) == b"".join(events)
    assert watch.error is None
    assert not watch.is_complete()


@given(cuts(streams()))
def test_comments_alone_are_no_data(drawn: tuple[list[bytes], list[bytes]]) -> None:
    """`has_data` turns true with the first event that is more than a comment, and not before."""
    events, reads = drawn
    watch = StreamWatch(CHUNKS)
    telling = [end for end, event in zip(ends(events), events, strict=True) if is_telling(event)]
    out = 0
    for read in reads:
        out += len(watch.feed(read))
        assert watch.has_data is any(end <= out for end in telling)


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.name)
def test_every_recorded_stream_passes_through_every_cut(stream: Recording) -> None:
    """A real vLLM's answer, cut in two at any byte, leaves unchanged and is complete."""
    for place in range(1, len(stream.body)):
        watch = watch_over(stream)
        first = watch.feed(stream.body[:place])
        assert first + watch.feed(stream.body[place:]) == stream.body
        assert has_said_all(watch)
        assert watch.error is None


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.name)
def test_every_recorded_stream_passes_byte_by_byte(stream: Recording) -> None:
    """Nothing but whole events ever leaves, and each as soon as it is whole."""
    watch = watch_over(stream)
    leaving = [watch.feed(stream.body[place : place + 1]) for place in range(len(stream.body))]
    assert [event for event in leaving if event] == list(stream.events)
    assert has_said_all(watch)


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.name)
def test_a_recorded_stream_that_is_cut_short_has_not_said_all(stream: Recording) -> None:
    """After any event but the last something is owed; without every finish reason the answer is not complete."""
    last_finish = max(number for number, event in enumerate(stream.events) if _finishes(event))
    for kept in range(len(stream.events)):
        watch = watch_over(stream)
        assert passed(watch, stream.events[:kept]) == b"".join(stream.events[:kept])
        assert not has_said_all(watch)
        assert watch.is_complete() is (kept > last_finish)


def _finishes(event: bytes) -> bool:
    """Say whether an event ends a choice, by reading it whole."""
    found = re.search(rb"^data: (\{.*)$", event, re.MULTILINE)
    if found is None:
        return False
    value = codec.loads(found[1])
    ends = [choice["finish_reason"] for choice in value.get("choices", [])]
    ends.append(value["delta"].get("stop_reason") if value.get("type") == "message_delta" else None)
    ends.append(value.get("type") == "response.completed" or None)
    return any(end is not None for end in ends)


@pytest.mark.parametrize(
    ("name", "usage"),
    [
        ("chat_stream_usage", Usage(7, 8)),
        ("chat_n2_stream", Usage(7, 16)),
        ("completion_stream_usage", Usage(3, 8)),
        ("messages_stream", Usage(7, 8)),
        ("responses_stream", Usage(7, 8)),
        ("chat_stream", None),
    ],
)
def test_the_usage_of_a_recorded_stream_is_read(name: str, usage: Usage | None) -> None:
    """Each dialect has its own place for it."""
    stream = recording(name)
    watch = watch_over(stream)
    passed(watch, stream.events)
    assert watch.usage == usage


def test_the_usage_that_the_caller_did_not_ask_for_is_dropped() -> None:
    """The event that carries nothing else goes, at every cut; the usage is known all the same."""
    stream = recording("chat_stream_usage")
    kept = b"".join(event for event in stream.events if b'"choices":[]' not in event)
    assert len(kept) < len(stream.body)
    for place in range(1, len(stream.body)):
        watch = StreamWatch(CHUNKS, drop_usage=True)
        assert passed(watch, pieces(stream.body, [place])) == kept
        assert watch.usage == Usage(7, 8)
        assert has_said_all(watch)


def test_usage_beside_content_is_never_dropped() -> None:
    """Usage on every chunk was the caller's own wish, and content is content."""
    stream = recording("chat_stream_usage_every_chunk")
    kept = b"".join(event for event in stream.events if b'"choices":[]' not in event)
    assert passed(StreamWatch(CHUNKS, drop_usage=True), stream.events) == kept
    assert passed(StreamWatch(CHUNKS), stream.events) == stream.body


@pytest.mark.parametrize("is_spaced", [False, True], ids=["compact", "spaced"])
@pytest.mark.parametrize("drop_usage", [False, True])
def test_json_may_have_spaces(*, is_spaced: bool, drop_usage: bool) -> None:
    """`"finish_reason": "stop"` means what it means without the space."""
    values: list[object] = [chunk("Hi"), chunk("", "stop", 1), *[chunk("Hi")] * 6, chunk("", "length")]
    events = [data(value) for value in [*values, {"choices": [], "usage": USAGE}]]
    if is_spaced:
        events = [event.replace(b'":', b'": ').replace(b',"', b', "') for event in events]
    watch = StreamWatch(CHUNKS, choices=2, drop_usage=drop_usage)
    leaving = events[:-1] if drop_usage else events
    assert passed(watch, [*events, DONE]) == b"".join([*leaving, DONE])
    assert has_said_all(watch)
    assert watch.usage == Usage(7, 2)


@pytest.mark.parametrize("reason", ["stop", "abort"])
def test_unusual_spaces_get_a_second_look_at_the_end(reason: str) -> None:
    """No mark fits JSON with two spaces, so the end looks back: at a finish that was missed, and at an abort."""
    last = LAST.replace(b'":"stop"', b'"  :  "%s"' % reason.encode())
    watch = StreamWatch(CHUNKS)
    is_acceptable = reason == "stop"
    assert passed(watch, [TOKEN, last, DONE]) == TOKEN + last + (DONE if is_acceptable else b"")
    assert watch.is_complete() is is_acceptable


@given(st.sampled_from([ERROR_EVENT, data(chunk("", "abort")), data(chunk("", "error"))]), st.data())
def test_an_error_is_held_back_with_all_that_follows(error: bytes, drawing: st.DataObject) -> None:
    """The caller gets the events before it, at every cut; what the error says is kept for the verdict."""
    stream = TOKEN + TOKEN + error + LAST + DONE
    places = sorted(drawing.draw(st.sets(st.integers(1, len(stream) - 1), max_size=8)))
    watch = StreamWatch(CHUNKS)
    assert passed(watch, pieces(stream, places)) == TOKEN + TOKEN
    assert watch.error == error.removeprefix(b"data: ").strip()
    assert not watch.is_complete()


@pytest.mark.parametrize(
    ("marks", "before", "error"),
    [
        (MESSAGE_EVENTS, b'event: ping\ndata: {"type":"ping"}\n\n', b'{"type":"error","error":{"message":"No."}}'),
        (RESPONSE_EVENTS, b'event: response.created\ndata: {"type":"response.created"}\n\n', b'{"type":"error"}'),
    ],
)
def test_the_other_dialects_errors_are_held_back_too(marks: Marks, before: bytes, error: bytes) -> None:
    """They come as an event of their own name."""
    watch = StreamWatch(marks)
    assert passed(watch, [before, b"event: error\ndata: " + error + b"\n\n", before]) == before
    assert watch.error == error


def test_an_early_done_is_an_error() -> None:
    """`[DONE]` without a finish reason is a replica that gave up, and the caller must not see it as an end."""
    watch = StreamWatch(CHUNKS)
    assert passed(watch, [TOKEN, TOKEN + DONE]) == TOKEN + TOKEN
    assert watch.error == b"[DONE]"
    assert not watch.is_complete()


def test_each_choice_must_finish() -> None:
    """Of two choices both; the end of one is half an answer."""
    watch = StreamWatch(CHUNKS, choices=2)
    assert passed(watch, [TOKEN, LAST]) == TOKEN + LAST
    assert not watch.is_complete()
    assert watch.feed(LAST) == LAST
    assert not watch.is_complete(), "the same choice a second time is still one"
    other = data(chunk("", "length", index=1))
    assert watch.feed(other + DONE) == other + DONE
    assert has_said_all(watch)

    early = StreamWatch(CHUNKS, choices=2)
    assert passed(early, [TOKEN, LAST, DONE]) == TOKEN + LAST
    assert early.error == b"[DONE]"


@pytest.mark.parametrize(
    ("marks", "finish", "ending"),
    [
        (CHUNKS, LAST, DONE),
        (
            MESSAGE_EVENTS,
            b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}\n\n',
            b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
        ),
        (RESPONSE_EVENTS, b'event: response.completed\ndata: {"type":"response.completed","response":{}}\n\n', b""),
    ],
)
def test_a_complete_answer_knows_which_ending_it_lacks(marks: Marks, finish: bytes, ending: bytes) -> None:
    """The ending is owed until it has been seen."""
    watch = StreamWatch(marks)
    watch.feed(finish)
    assert watch.is_complete()
    assert watch.ending() == ending
    if ending:
        assert watch.feed(ending) == ending
    assert watch.ending() == b""


def test_a_late_event_that_is_no_json_is_an_error() -> None:
    """Where the end is told every event counts."""
    watch = StreamWatch(CHUNKS)
    assert passed(watch, [LAST, b"data: {half\n\n"]) == LAST
    assert watch.error == b"{half"


def test_an_event_may_be_large_but_not_endless() -> None:
    """Up to the limit it waits for its end; over it the replica has failed."""
    watch = StreamWatch(CHUNKS)
    assert passed(watch, [b"data: ", b"x" * (MAX_EVENT_BYTES - 6)]) == b""
    with pytest.raises(ReplicaFailed, match="too large"):
        watch.feed(b"x")


def test_many_events_in_one_read_are_not_one_large_event() -> None:
    """The limit is for the part that has no end yet."""
    watch = StreamWatch(CHUNKS)
    many = TOKEN * (MAX_EVENT_BYTES // len(TOKEN) + 1)
    assert watch.feed(many + b"data: ") == many


class CountingPattern:
    """A pattern that notes how many bytes it was asked to search."""

    def __init__(self, pattern: re.Pattern[bytes]) -> None:
        self.searched_bytes = 0
        self._pattern = pattern

    def finditer(self, text: bytes | bytearray, start: int = 0) -> Iterator[re.Match[bytes]]:
        """Search as the pattern does."""
        self.searched_bytes += len(text) - start
        return self._pattern.finditer(text, start)


def test_a_large_event_in_small_reads_costs_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Byte by byte, each byte is searched a few times, not once for every byte that follows."""
    counting = CountingPattern(sse._BLANK_LINE)
    monkeypatch.setattr(sse, "_BLANK_LINE", counting)
    event = data(chunk("x" * 50_000))
    watch = StreamWatch(CHUNKS)
    assert passed(watch, (event[place : place + 1] for place in range(len(event)))) == event
    assert counting.searched_bytes <= 5 * len(event)


@pytest.mark.parametrize("marks", DIALECTS)
@given(st.lists(ODD_EVENTS.map(data) | JUNK, min_size=3, max_size=8), st.booleans())
def test_nothing_that_a_replica_sends_breaks_the_watch(marks: Marks, reads: list[bytes], drop_usage: bool) -> None:
    """Whatever the JSON is, the watch lets pass, drops or holds back; it never fails, and invents nothing."""
    watch = StreamWatch(marks, drop_usage=drop_usage)
    first = b"".join(marks.late) + b"\n\n"  # from here on every event is understood
    out = passed(watch, [first, *reads])
    rest = iter(first + b"".join(reads))
    assert all(byte in rest for byte in out), "what comes out is part of what went in, in its order"


def test_a_plain_watch_lets_all_pass() -> None:
    """Where no stream is expected nothing is known of its end."""
    watch = PlainWatch()
    assert not watch.has_data
    assert watch.feed(b"any") == b"any"
    assert watch.has_data
    assert watch.is_complete()
    assert watch.ending() == b""
    assert watch.error is None
