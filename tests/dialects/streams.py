"""Streams of events in any form that the format allows, and reads of them that begin and end anywhere."""

from collections.abc import Iterable
from itertools import accumulate, pairwise

from hypothesis import strategies as st

from vllm_gateway import codec
from vllm_gateway.exchange import Watch

DONE = b"data: [DONE]\n\n"

MARKED = st.sampled_from(
    [
        '"finish_reason":"stop"',
        "data: [DONE]\n\n",
        'data: {"error"',
        "event: error",
        "[DONE]",
        '"stop_reason":"',
        "\r\n\r\n",
        "\n\n",
        "ü🙂\u2028\x85",
    ]
)
"""What a model may well write, and what must not be taken for more than that."""
TEXTS = st.lists(MARKED | st.text(max_size=8), max_size=4).map("".join)
LINE_ENDS = st.sampled_from(
    [
        st.just(b"\n"),
        st.just(b"\r\n"),
        st.just(b"\r"),
        st.sampled_from([b"\n", b"\r\n"]),
    ]
)


def chunk(content: str, finish_reason: str | None = None, index: int = 0) -> dict[str, object]:
    """Return a chunk of a chat stream."""
    choice = {"index": index, "delta": {"content": content}, "finish_reason": finish_reason}
    return {"id": "c", "object": "chat.completion.chunk", "choices": [choice]}


def data(value: object) -> bytes:
    """Return an event as vLLM writes it."""
    return b"data: " + codec.dumps(value) + b"\n\n"


USAGE = {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}
TOKEN = data(chunk("Hi"))
LAST = data(chunk("", "stop"))
USAGE_EVENT = data({"id": "c", "choices": [], "usage": USAGE})
ERROR_EVENT = data({"error": {"message": "Out of memory.", "type": "InternalServerError", "code": 500}})


@st.composite
def event_lines(draw: st.DrawFn, value: object) -> list[bytes]:
    """Draw the lines of an event with this JSON: on one line or on several, among other fields and comments."""
    is_spread = draw(st.booleans())
    text = codec.dumps_pretty(value).rstrip() if is_spread else codec.dumps(value)
    prefix = draw(st.sampled_from([b"data: ", b"data:"]))
    lines = [prefix + line for line in text.split(b"\n")]
    extra = draw(st.sampled_from([[], [b"event: message"], [b"id: 7"], [b"retry: 3000"], [b": ping"]]))
    return draw(st.sampled_from([[*extra, *lines], [*lines, *extra]]))


@st.composite
def streams(draw: st.DrawFn, *, is_finished: bool = True) -> list[bytes]:
    """Draw the events of a chat stream, in any form that the format allows."""
    values: list[object] = [chunk(text) for text in draw(st.lists(TEXTS, max_size=4))]
    if is_finished:
        values += [chunk(draw(TEXTS), "stop"), {"choices": [], "usage": USAGE}]
    written = [draw(event_lines(value)) for value in values]
    if is_finished:
        written.append([b"data: [DONE]"])
    for comment in draw(st.lists(st.sampled_from([b": ping", b":", ":ü".encode()]), max_size=2)):
        written.insert(draw(st.integers(0, len(written))), [comment])
    line_ends = draw(LINE_ENDS)
    return [b"".join(line + draw(line_ends) for line in [*lines, b""]) for lines in written]


@st.composite
def cuts(draw: st.DrawFn, events: st.SearchStrategy[list[bytes]]) -> tuple[list[bytes], list[bytes]]:
    """Draw a stream, and the same bytes as reads that begin and end anywhere."""
    drawn = draw(events)
    whole = b"".join(drawn)
    places = sorted(draw(st.sets(st.integers(1, max(1, len(whole) - 1)), max_size=8)))
    return drawn, pieces(whole, places)


def is_telling(event: bytes) -> bool:
    """Say whether an event is more than comments."""
    return any(line and not line.startswith(b":") for line in event.replace(b"\r", b"\n").split(b"\n"))


def pieces(whole: bytes, places: Iterable[int]) -> list[bytes]:
    """Cut bytes at these places."""
    bounds = [0, *places, len(whole)]
    return [whole[begin:end] for begin, end in pairwise(bounds)]


def ends(events: Iterable[bytes]) -> list[int]:
    """Return the places where events end."""
    return list(accumulate(len(event) for event in events))


def passed(watch: Watch, reads: Iterable[bytes]) -> bytes:
    """Feed reads and return what came out."""
    return b"".join(watch.feed(read) for read in reads)


def has_said_all(watch: Watch) -> bool:
    """Say whether nothing is owed any more."""
    return watch.is_complete() and not watch.ending()


ODD = st.sampled_from([None, True, -1, 0, 1, 1.5, "", "stop", "error", [], {}, [1], {"a": 1}, 2**63])
"""Any kind of JSON, where one kind was expected."""


def odd(**fields: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """Return what has some of these fields, or is something else altogether."""
    return st.fixed_dictionaries({}, optional=fields) | ODD


ODD_USAGE = odd(
    prompt_tokens=ODD,
    completion_tokens=ODD,
    input_tokens=ODD,
    output_tokens=ODD,
    prompt_tokens_details=odd(cached_tokens=ODD),
)
ODD_EVENTS = st.fixed_dictionaries(
    {},
    optional={
        "type": ODD | st.sampled_from(["message_delta", "message_stop", "response.completed", "response.failed"]),
        "choices": st.lists(st.fixed_dictionaries({"index": ODD, "finish_reason": ODD}) | ODD, max_size=2),
        "delta": odd(stop_reason=ODD),
        "response": odd(usage=ODD_USAGE),
        "usage": ODD_USAGE,
        "error": ODD,
    },
)
JUNK = st.binary(max_size=20).map(lambda junk: junk + b"\n\n")
"""Events that are none."""
