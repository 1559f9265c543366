"""The trace that a request belongs to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vllm_gateway.exchange import Headers
from vllm_gateway.telemetry.tracing.context import Context, context_in, new_trace

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
GOOD = f"00-{TRACE}-{SPAN}-01".encode()


def sent(*values: bytes, state: tuple[bytes, ...] = ()) -> Headers:
    """Return the headers of a request with these."""
    return [(b"traceparent", each) for each in values] + [(b"tracestate", each) for each in state]


def test_a_callers_trace_goes_on() -> None:
    """With its state, which may come in several headers."""
    found = context_in(sent(GOOD, state=(b"a=1", b" b=2 ")))
    assert found == Context(int(TRACE, 16), int(SPAN, 16), is_sampled=True, state=b"a=1,b=2")


@pytest.mark.parametrize(
    ("flags", "is_sampled"), [(b"00", False), (b"01", True), (b"03", True), (b"02", False), (b"ff", True)]
)
def test_the_caller_says_whether_it_is_sampled(flags: bytes, is_sampled: bool) -> None:
    """One bit does; the others are for later versions."""
    found = context_in(sent(GOOD[:-2] + flags))
    assert found is not None
    assert found.is_sampled is is_sampled


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"00",
        GOOD + b"-extra",
        GOOD.upper(),
        b"ff" + GOOD[2:],
        f"00-{'0' * 32}-{SPAN}-01".encode(),
        f"00-{TRACE}-{'0' * 16}-01".encode(),
        f"00-{TRACE[:-1]}-{SPAN}-01".encode(),
        GOOD + b"\r\nx: y",
        GOOD.replace(b"a", b"g"),
    ],
)
def test_what_is_no_context_is_none(value: bytes) -> None:
    """Then the trace begins here."""
    assert context_in(sent(value)) is None


def test_a_later_version_may_say_more() -> None:
    """What is known of it is taken."""
    assert context_in(sent(b"01" + GOOD[2:] + b"-more")) is not None


def test_two_contexts_are_none() -> None:
    """Nobody knows which of them is meant."""
    assert context_in(sent(GOOD, GOOD)) is None
    assert context_in([]) is None


@pytest.mark.parametrize("state", [b"a=\xff", b"a=1\r\nx: y", b"x" * 513, b",".join([b"a=1"] * 33)])
def test_a_state_that_is_none_is_dropped_by_itself(state: bytes) -> None:
    """The trace goes on without it."""
    found = context_in(sent(GOOD, state=(state,)))
    assert found is not None
    assert found.state == b""


@given(st.lists(st.tuples(st.sampled_from([b"traceparent", b"tracestate"]), st.binary(max_size=80))))
def test_nothing_that_is_sent_breaks_it(headers: Headers) -> None:
    """Whatever it is; and no state can end a line."""
    found = context_in(headers)
    assert found is None or b"\n" not in found.state


def test_a_new_trace_has_an_id() -> None:
    """Any but 0, and never the same."""
    made = {new_trace() for _ in range(100)}
    assert len(made) == 100
    assert all(0 < each < 2**128 for each in made)
