"""Server-sent events."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from vllm_gateway.terminal.api.events import Events

STREAM = b': hello\n\ndata: {"a": 1}\r\n\r\nevent: x\ndata: one\ndata: two\n\n\n\ndata:[DONE]\n\n'


@given(st.lists(st.integers(0, len(STREAM)), max_size=6))
def test_events_are_the_same_wherever_the_network_cuts(cuts: list[int]) -> None:
    """Comments say nothing, several lines of data are one text, and cuts make no difference."""
    events, found, places = Events(), [], sorted({0, len(STREAM), *cuts})
    for start, end in itertools.pairwise(places):
        found += events.feed(STREAM[start:end])
    assert found == [b'{"a": 1}', b"one\ntwo", b"[DONE]"]


def test_half_an_event_says_nothing() -> None:
    """Only a blank line ends an event."""
    assert Events().feed(b"data: half\n") == []
