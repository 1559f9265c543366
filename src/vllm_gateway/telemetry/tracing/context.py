"""The trace that a request belongs to: the caller's (W3C Trace Context), or a new one."""

import random
import re
from typing import NamedTuple

from vllm_gateway.exchange import Headers

_PARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_STATE = re.compile(rb"[\x20-\x7e]{1,512}")
_MOST_MEMBERS = 32
_SAMPLED = 0x01


class Context(NamedTuple):
    """Where a caller is in its trace."""

    trace: int
    span: int
    is_sampled: bool
    state: bytes = b""
    """`tracestate`, as it came; whose it is and what it means is others' business."""


def context_in(headers: Headers) -> Context | None:
    """Return the context of a request; None when it brings none, or none that is valid.

    What is valid is said by https://www.w3.org/TR/trace-context/: two contexts are none, and a `tracestate` that is not
    valid makes the other header no worse.
    """
    parents = [value for name, value in headers if name == b"traceparent"]
    if len(parents) != 1:
        return None
    match = _PARENT.fullmatch(parents[0].strip())
    if match is None:
        return None
    version, trace, span, flags, more = match.groups()
    if version == b"ff" or (version == b"00" and more):
        return None
    trace_id, span_id = int(trace, 16), int(span, 16)
    if not trace_id or not span_id:
        return None
    return Context(trace_id, span_id, bool(int(flags, 16) & _SAMPLED), _state(headers))


def new_trace() -> int:
    """Return the id of a new trace: any number of 128 bits but 0."""
    return random.getrandbits(128) or 1


def _state(headers: Headers) -> bytes:
    states = [value.strip() for name, value in headers if name == b"tracestate"]
    state = b",".join(each for each in states if each)
    is_valid = _STATE.fullmatch(state) is not None and state.count(b",") < _MOST_MEMBERS
    return state if is_valid else b""
