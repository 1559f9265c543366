"""Streams that tell their usage all the time."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis.strategies import integers, lists, sampled_from, tuples

from vllm_gateway import codec
from vllm_gateway.dialects.live_usage import LiveUsageWatch, telling_usage
from vllm_gateway.dialects.openai import CHUNKS
from vllm_gateway.dialects.reading import choices_asked_for, understand
from vllm_gateway.dialects.sse import StreamWatch
from vllm_gateway.exchange import Asked, Usage

DONE = b"data: [DONE]\n\n"


def event(index: int = 0, tokens: int = 1, *, text: str = "x", finish: str | None = None, live: bool = True) -> bytes:
    """Return a chunk of a chat, as vLLM writes it."""
    choice = {"index": index, "delta": {"content": text}, "finish_reason": finish}
    chunk: dict[str, Any] = {"id": "c", "choices": [choice]}
    if live:
        chunk["usage"] = {"prompt_tokens": 5, "total_tokens": 5 + tokens, "completion_tokens": tokens}
    return b"data: " + codec.dumps(chunk) + b"\n\n"


def whole_usage(tokens: int) -> bytes:
    """Return the event that tells the usage of all choices together."""
    usage = {"prompt_tokens": 5, "total_tokens": 5 + tokens, "completion_tokens": tokens}
    return b"data: " + codec.dumps({"id": "c", "choices": [], "usage": usage}) + b"\n\n"


def asked(**fields: Any) -> Asked:  # noqa: ANN401 - any field
    """Return a chat that is asked for."""
    body = codec.dumps({"stream": True, **fields})
    return understand(codec.loads(body), body, "/v1/chat/completions", marks=CHUNKS, choices=choices_asked_for)


def watch(*, choices: int = 1, is_hidden: bool = True, drop_usage: bool = True) -> LiveUsageWatch:
    """Return a watch over a chat's stream."""
    return LiveUsageWatch(
        StreamWatch(CHUNKS, choices=choices, drop_usage=drop_usage), choices=choices, is_hidden=is_hidden
    )


def test_the_caller_sees_the_stream_as_if_nothing_had_been_asked() -> None:
    """The events are byte for byte those of a stream without usage."""
    live = watch()
    told = [event(tokens=n, finish="stop" if n == 3 else None) for n in (1, 2, 3)]
    silent = [event(tokens=n, finish="stop" if n == 3 else None, live=False) for n in (1, 2, 3)]
    got = b"".join(map(live.feed, [*told, whole_usage(3), DONE]))
    assert got == b"".join([*silent, DONE])
    assert (live.is_complete(), live.usage, live.ending(), live.error) == (True, Usage(5, 3), b"", None)


USAGES = ("", ',"usage":{"completion_tokens":1}', ',"usage":{"a":{"b":2},"completion_tokens":1}', ',"usage":{}')


@given(
    told=lists(tuples(sampled_from(["x", ',"usage":{"a":1}', "}", "{"]), sampled_from(USAGES)), min_size=1, max_size=6),
    cuts=lists(integers(0, 1000)),
)
def test_it_does_not_matter_how_events_are_cut_into_reads(told: list[tuple[str, str]], cuts: list[int]) -> None:
    """One event, several or a part of one in a read: what is told of the usage goes, and nothing else."""
    silent = [event(text=text, live=False) for text, _ in told]
    stream = b"".join(each[:-3] + usage.encode() + b"}\n\n" for each, (_, usage) in zip(silent, told, strict=True))
    ends = sorted(min(cut, len(stream)) for cut in cuts)
    live = watch()
    got = b"".join(live.feed(stream[a:b]) for a, b in pairwise([0, *ends, len(stream)]))
    assert got == b"".join(silent)


def test_details_go_too() -> None:
    """A usage object may hold another one."""
    usage = b',"usage":{"prompt_tokens":5,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":4}}'
    line = b'data: {"choices":[{"index":0,"delta":{}}]' + usage + b"}\n\n"
    live = watch()
    assert live.feed(line) == b'data: {"choices":[{"index":0,"delta":{}}]}\n\n'
    assert live.usage_so_far() == Usage(5, 1, 4)


@pytest.mark.parametrize("text", ['say ,"usage":{"a":1} aloud', '","usage":{"x":', "usage", '\\","usage":{}'])
def test_what_the_model_says_stays(text: str) -> None:
    """Words of an answer that look like a usage object are not touched."""
    assert watch().feed(event(text=text)) == event(text=text, live=False)


def test_who_asked_for_the_usage_at_the_end_gets_only_that() -> None:
    """The last event stays, the others lose what was not asked for."""
    live = watch(drop_usage=False)
    got = b"".join(map(live.feed, [event(), event(tokens=2, finish="stop") + whole_usage(2) + DONE]))
    assert got == event(live=False) + event(tokens=2, finish="stop", live=False) + whole_usage(2) + DONE


def test_who_asked_for_all_of_it_gets_all_of_it() -> None:
    """Nothing is taken out."""
    live = watch(is_hidden=False, drop_usage=False)
    assert live.feed(event()) == event()
    assert live.usage_so_far() == Usage(5, 1)


def test_a_broken_stream_is_known_to_its_last_token() -> None:
    """What was told last counts, also before anything is complete."""
    live = watch()
    assert live.usage_so_far() is None
    live.feed(event(tokens=1) + event(tokens=2))
    live.feed(event(tokens=17))
    assert (live.usage_so_far(), live.usage, live.is_complete()) == (Usage(5, 17), None, False)


def test_choices_are_added_up() -> None:
    """Each choice is counted by itself, as vLLM does; a choice that ended first does not stand for all."""
    live = watch(choices=3)
    live.feed(event(0, 4) + event(1, 6))
    assert live.usage_so_far() == Usage(5, 10)
    live.feed(event(2, 1, finish="stop"))
    live.feed(event(0, 5))
    assert live.usage_so_far() == Usage(5, 12)


def test_only_a_stream_that_can_tell_is_asked() -> None:
    """An answer in one piece stays as it is asked for."""
    plain = asked(stream=False)
    assert telling_usage(plain) is plain
    assert telling_usage(asked()).tells_usage
    assert telling_usage(asked(n=3)).choices == 3


@pytest.mark.parametrize(
    ("options", "is_hidden"),
    [
        (None, True),
        ({"include_usage": True}, True),
        ({"continuous_usage_stats": True}, True),
        ({"include_usage": True, "continuous_usage_stats": True}, False),
    ],
    ids=str,
)
def test_it_is_hidden_unless_it_was_asked_for(options: object, is_hidden: bool) -> None:
    """Usage on every event works in vLLM only for who asks for both."""
    made = telling_usage(asked(stream_options=options)).new_watch()
    assert (made.feed(event()) == event(live=False)) is is_hidden


def test_what_is_no_event_of_a_chat_passes() -> None:
    """A comment and an error are none of its business."""
    live = watch()
    assert live.feed(b": keep-alive\n\n") == b": keep-alive\n\n"
    assert live.feed(b'data: {"error":{"message":"x","code":500}}\n\n') == b""
    assert live.error == b'{"error":{"message":"x","code":500}}'
    assert live.has_data is False
