"""Streams under a deny-list: what is harmless arrives byte for byte, and nothing of what is denied leaves."""

from collections.abc import Iterable
from functools import partial
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.dialects.streams import DONE, ERROR_EVENT, LAST, USAGE, USAGE_EVENT, chunk, cuts, data, pieces, streams
from tests.exchanges import OPERATIONS
from tests.recorded import Recording, recordings
from vllm_gateway import codec
from vllm_gateway.admission.screen.patterns import DenyList
from vllm_gateway.dialects.openai import CHUNKS
from vllm_gateway.dialects.screened import MAX_HELD_BYTES, ScreenedWatch
from vllm_gateway.dialects.sse import StreamWatch, payloads
from vllm_gateway.errors import ContentRefused, ReplicaFailed
from vllm_gateway.exchange import Usage, Watch

LONGEST = "sixteen  letters"
DENY = DenyList(["bomb", "two words", LONGEST], [r"sk-\d{4}"])
WINDOW = len(LONGEST)
STREAMS = [each for each in recordings() if each.events and b'"error"' not in each.body]


def screened(deny: DenyList = DENY, *, choices: int = 1, window: int = WINDOW) -> ScreenedWatch:
    """Return a watch over a stream of chunks."""
    inner = partial(StreamWatch, CHUNKS, choices=choices)
    return ScreenedWatch(inner, deny.find, window, refusal="Refused.")


def fed(watch: Watch, reads: Iterable[bytes]) -> tuple[bytes, bool]:
    """Feed reads up to a refusal; return what left, and whether there was one."""
    out = b""
    try:
        for read in reads:
            out += watch.feed(read)
    except ContentRefused:
        return out, True
    return out, False


def contents(events: bytes, index: int = 0) -> str:
    """Return the text of one choice."""
    said = [codec.loads(payload)["choices"] for payload in payloads(events)]
    return "".join(each["delta"].get("content") or "" for choices in said for each in choices if each["index"] == index)


def tokens(text: str, size: int = 1, index: int = 0) -> list[bytes]:
    """Return a text as events with so many characters each."""
    return [data(chunk(text[at : at + size], index=index)) for at in range(0, len(text), size)]


def reasoning(text: str) -> bytes:
    """Return an event with a thought."""
    return data({"choices": [{"index": 0, "delta": {"reasoning": text}, "finish_reason": None}]})


@given(cuts(streams()))
def test_a_harmless_stream_arrives_byte_for_byte(drawn: tuple[list[bytes], list[bytes]]) -> None:
    """However it is written and cut, all of it has left at its end, in its order."""
    events, reads = drawn
    watch = screened()
    assert fed(watch, reads) == (b"".join(events), False)
    assert watch.is_complete()
    assert not watch.ending()
    assert watch.usage == watch.usage_so_far() == Usage(7, 2)


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.name)
def test_every_recorded_stream_arrives_byte_for_byte(stream: Recording) -> None:
    """What a real vLLM streamed leaves whole, on every route, read event by event."""
    watch = ScreenedWatch(OPERATIONS[stream.path].read(stream.request).new_watch, DENY.find, WINDOW, refusal="")
    assert fed(watch, stream.events) == (stream.body, False)
    assert watch.is_complete()


@st.composite
def texts_around(draw: st.DrawFn, middle: str) -> tuple[str, list[bytes]]:
    """Draw a text around `middle`, and it as a stream whose events and reads end anywhere."""
    words = st.lists(st.sampled_from(["b", "bo", "bom", "two", "sk-123", "é", "🙂", "a longer text"]), max_size=8)
    text = " ".join([*draw(words), middle, *draw(words)])
    places = draw(st.sets(st.integers(1, len(text) - 1), max_size=len(text)))
    parts = [text[begin:end] for begin, end in pairwise([0, *sorted(places), len(text)])]
    whole = b"".join([*(data(chunk(part)) for part in parts), data(chunk("", "stop")), DONE])
    return text, pieces(whole, sorted(draw(st.sets(st.integers(1, len(whole) - 1), max_size=8))))


@pytest.mark.parametrize("denied", ["bomb", "BOMB", "two \n words", "sk-1234", LONGEST])
@given(drawing=st.data())
def test_nothing_of_what_is_denied_leaves(drawing: st.DataObject, denied: str) -> None:
    """Wherever it stands and however it is cut, at most what comes before it has left."""
    text, reads = drawing.draw(texts_around(denied))
    out, is_refused = fed(screened(), reads)
    assert is_refused
    assert text.startswith(contents(out))
    assert len(contents(out)) <= text.index(denied)


@given(texts_around("bombs two words2 sk-x"))
def test_a_harmless_text_leaves_whole(drawn: tuple[str, list[bytes]]) -> None:
    """What is nearly denied is not denied, and every byte of it arrives."""
    _, reads = drawn
    assert fed(screened(), reads) == (b"".join(reads), False)


@pytest.mark.parametrize("size", [1, 2, 3, 100])
@pytest.mark.parametrize("denied", ["bomb", LONGEST])
def test_a_word_is_found_in_any_pieces(denied: str, size: int) -> None:
    """One character for each event, or all in one; a word as long as the window is found as surely as a short one."""
    text = f"{'x ' * 30}{denied} for you"
    out, is_refused = fed(screened(), [*tokens(text, size), LAST])
    assert is_refused
    assert len(contents(out)) <= text.index(denied)


@pytest.mark.parametrize("last", ["", "b"])
def test_a_word_at_the_very_end_is_found(last: str) -> None:
    """The end of the text is an edge of the word, be the event that tells the end with text or without."""
    events = [*tokens("a bomb".removesuffix(last)), data(chunk(last, "stop"))]
    out, is_refused = fed(screened(), events)
    assert (contents(out), is_refused) == ("", True)


def test_a_choice_that_nobody_asked_for_is_looked_at_too() -> None:
    """The end of the stream is the end of every text; without it the answer is not complete."""
    events = [LAST, *tokens("a bomb", index=1)]
    watch = screened()
    assert fed(watch, events) == (LAST, False)
    assert not watch.is_complete()
    assert fed(watch, [DONE]) == (b"", True)


@pytest.mark.parametrize("text", ["a bombastic speech", "x " * 30 + "bombastic", "x" * 30 + "bomb" + " y" * 30])
def test_a_word_that_is_part_of_another_is_harmless(text: str) -> None:
    """What looks denied for a moment may become another word, and what is forgotten of a word still stands there."""
    events = [*tokens(text), LAST, DONE]
    assert fed(screened(), events) == (b"".join(events), False)


def test_choices_are_not_mixed_up() -> None:
    """What two choices say in turn is no word together; what one says in between the other's is."""
    both = [event for pair in zip(tokens("bm. "), tokens("ob. ", index=1), strict=True) for event in pair]
    ends = [data(chunk("", "stop", index=index)) for index in (0, 1)]
    events = [*both, *ends, DONE]
    assert fed(screened(choices=2), events) == (b"".join(events), False)
    both = [event for pair in zip(tokens("bomb "), tokens("harm ", index=1), strict=True) for event in pair]
    out, is_refused = fed(screened(choices=2), [*both, *ends])
    assert (contents(out), is_refused) == ("", True)


def test_kinds_of_text_are_not_mixed_up() -> None:
    """What was thought and what is said is no word together, but each is looked at."""
    events = [reasoning("bo"), data(chunk("mb")), LAST, DONE]
    assert fed(screened(), events) == (b"".join(events), False)
    assert fed(screened(), [reasoning("a bo"), reasoning("mb!"), LAST])[1]
    assert fed(screened(), [reasoning("a bomb"), *tokens("and now something else, at length")])[1]


def test_what_was_thought_does_not_hold_back_what_is_said() -> None:
    """The last thoughts leave when enough has been said behind them."""
    watch = screened()
    out, _ = fed(watch, [reasoning("I think so"), *tokens("x" * (WINDOW + 3))])
    assert out.startswith(reasoning("I think so") + tokens("x")[0])


def test_text_lags_behind_by_the_window() -> None:
    """No more than the window and the edges of a word is held back, so that a stream remains one."""
    watch, out = screened(), b""
    for said, event in enumerate(tokens("x" * 100), start=1):
        out += watch.feed(event)
        assert len(contents(out)) == max(0, said - WINDOW - 2)


def test_events_without_text_are_not_held_back_for_themselves() -> None:
    """The first event, which tells the role, leaves at once; a comment behind held text keeps its place."""
    watch = screened()
    role = data({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]})
    assert watch.feed(role) == role
    assert watch.feed(tokens("x")[0] + b": ping\n\n") == b""
    assert watch.feed(LAST) == tokens("x")[0] + b": ping\n\n" + LAST


def test_only_what_has_left_is_data() -> None:
    """As long as the caller has seen nothing, another replica may answer."""
    watch = screened()
    watch.feed(b": ping\n\n")
    watch.feed(tokens("x")[0])
    assert not watch.has_data
    watch.feed(LAST)
    assert watch.has_data


def test_an_error_ends_the_stream() -> None:
    """An error event is told as it is without a deny-list, and what was held back stays back."""
    watch = screened()
    assert watch.feed(tokens("x")[0] + ERROR_EVENT) == b""
    assert watch.error == next(payloads(ERROR_EVENT))
    assert not watch.is_complete()


def test_a_choice_that_has_come_to_a_halt_does_not_hold_up_the_others_for_ever() -> None:
    """From a size on, what is held back is taken as it is."""
    watch = screened(choices=2)
    watch.feed(tokens("x", index=1)[0])
    large = data(chunk("y" * 1000))
    held = MAX_HELD_BYTES // len(large) - 1
    assert not any(watch.feed(large) for _ in range(held))
    assert len(watch.feed(large) + watch.feed(large)) > MAX_HELD_BYTES
    watch = screened(choices=2)
    watch.feed(tokens("bomb", size=4, index=1)[0])
    assert fed(watch, [large] * (held + 2)) == (b"", True)


def test_a_missing_end_is_added_behind_what_is_held() -> None:
    """What a complete answer lacks comes last."""
    watch = screened()
    watch.feed(LAST + USAGE_EVENT)
    assert watch.usage == Usage(USAGE["prompt_tokens"], USAGE["completion_tokens"])
    assert watch.ending() == DONE


def test_an_event_that_cannot_be_read_is_not_let_through() -> None:
    """What is no JSON could say anything."""
    with pytest.raises(ReplicaFailed):
        screened().feed(b"data: {bomb\n\n")


@pytest.mark.parametrize(
    "event",
    [
        b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"a bomb. "}\n\n',
        b'event: response.output_item.done\ndata: {"type":"response.output_item.done","item":{"name":"bomb"}}\n\n',
        b'data: {"type":"content_block_delta","delta":{"type":"input_json_delta","partial_json":"\\"bomb\\" "}}\n\n',
        b'data: {"choices":[{"index":0,"text":"a bomb. ","finish_reason":null}]}\n\n',
    ],
)
def test_every_route_is_looked_at(event: bytes) -> None:
    """Each in its own shape."""
    assert fed(screened(), [event]) == (b"", True)
