"""A whole answer of chat or completions given again: as it was, or in the form that it did not have.

Nothing of an answer is understood until somebody asks for the other form. That it came to a proper end is found by its
finish reasons alone: inside a text of JSON every quote has a backslash before it, so they are found nowhere else.
"""

import re
from typing import Any

from vllm_gateway import codec
from vllm_gateway.dialects.sse import payloads
from vllm_gateway.errors import ReplicaFailed
from vllm_gateway.exchange import Usage

_FINISH = re.compile(rb'"finish_reason":\s?"([^"]*)"')
_COMPLETE = frozenset({b"stop", b"length", b"tool_calls"})
_GIVEN_UP = frozenset({b"abort", b"error"})
_NO_CHOICES = b'"choices":[]'
_DONE = b"data: [DONE]\n\n"
_HEAD = ("id", "object", "created", "model", "system_fingerprint", "service_tier")
"""What every event of a stream repeats, and an answer in one piece says once."""
_OBJECTS = {"chat.completion": "chat.completion.chunk", "chat.completion.chunk": "chat.completion"}
"""The same thing in the other form; completions call both by one name."""
_WHOLE = frozenset({"role", "id", "type", "index"})
"""Members of a delta that do not grow."""

Object = dict[str, Any]


def is_complete(answer: bytes, choices: int) -> bool:
    """Say whether each choice of a whole answer ended as it should: with its words, its length or its calls."""
    if b"\r" in answer:  # events whose lines end so are not taken apart here
        return False
    ends = _FINISH.findall(answer)
    return len(ends) == choices and _COMPLETE.issuperset(ends)


def is_settled(answer: bytes) -> bool:
    """Say whether the replica brought a whole answer to an end of its own, whichever: it did not give up."""
    return _GIVEN_UP.isdisjoint(_FINISH.findall(answer))


def split_usage(events: bytes) -> tuple[bytes, bytes]:
    """Return a stream without the event that tells its usage, and that usage as JSON; nothing when it tells none."""
    at = events.rfind(_NO_CHOICES)
    if at < 0:
        return events, b""
    begin = events.rfind(b"\n\n", 0, at)
    begin = 0 if begin < 0 else begin + 2
    end = events.find(b"\n\n", at) + 2
    chunk = next((codec.loads(payload) for payload in payloads(events[begin:end])), None)
    if not isinstance(chunk, dict) or chunk.get("choices") != [] or not isinstance(chunk.get("usage"), dict):
        return events, b""
    return events[:begin] + events[end:], codec.dumps(chunk["usage"])


def with_usage(events: bytes, usage: bytes) -> bytes:
    """Return a stream with the event that tells its usage before its end."""
    at = events.rfind(_DONE)
    at = len(events) if at < 0 else at
    first: Object = next(map(codec.loads, payloads(events[: events.find(b"\n\n") + 2])), {})
    chunk = _head(first, first.get("object")) | {"choices": [], "usage": codec.loads(usage)}
    return events[:at] + _event(chunk) + events[at:]


def usage_json(usage: Usage | None) -> bytes:
    """Return a usage as a replica writes it; nothing when it is not known."""
    if usage is None:
        return b""
    details = {"prompt_tokens_details": {"cached_tokens": usage.cached_tokens}} if usage.cached_tokens else {}
    prompt, completion = usage.prompt_tokens, usage.completion_tokens
    counts = {"prompt_tokens": prompt, "total_tokens": prompt + completion, "completion_tokens": completion}
    return codec.dumps(counts | details)


def events_of(answer: bytes) -> bytes:
    """Return the stream, without its usage, that says the same as an answer in one piece.

    Raises:
        ReplicaFailed: it cannot be understood.
    """
    try:
        completion: Object = codec.loads(answer)
        name = completion.get("object")
        head = _head(completion, _OBJECTS.get(name, name) if isinstance(name, str) else name)
        chunks = [chunk for choice in completion["choices"] for chunk in _choice_chunks(choice)]
    except (AttributeError, KeyError, TypeError, ValueError):
        raise _unreadable() from None
    return b"".join(_event(head | {"choices": [chunk]}) for chunk in chunks) + _DONE


def answer_of(events: bytes, usage: bytes) -> bytes:
    """Return the answer in one piece that says the same as a stream.

    Raises:
        ReplicaFailed: it cannot be understood.
    """
    head: Object = {}
    choices: dict[int, Object] = {}
    try:
        for payload in payloads(events):
            chunk: Object = codec.loads(payload)
            head = head or _head(chunk, _OBJECTS.get(chunk["object"], chunk["object"]))
            for choice in chunk["choices"]:
                _grow_choice(choices.setdefault(choice["index"], {"index": choice["index"]}), choice)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise _unreadable() from None
    told = {"usage": codec.loads(usage)} if usage else {}
    return codec.dumps(head | {"choices": [_whole(choices[index]) for index in sorted(choices)]} | told)


def _choice_chunks(choice: Object) -> list[Object]:
    """Return what the events of a stream say of one choice, one after the other."""
    index = choice["index"]
    end = {name: value for name, value in choice.items() if name not in {"message", "text", "index"}}
    if "message" not in choice:
        return [{"index": index, "text": choice["text"], **end}]
    said = {name: value for name, value in choice["message"].items() if value not in (None, [])}
    calls = [{"index": at, **call} for at, call in enumerate(said.pop("tool_calls", ()))]
    content = said.pop("content", "")
    deltas: list[Object] = [{"role": said.pop("role", "assistant"), "content": ""}]
    deltas += [{name: value} for name, value in said.items()]  # reasoning comes before what is said
    deltas += [{"content": content}] if content else []
    deltas += [{"tool_calls": [call]} for call in calls]
    last: Object = {"index": index, "delta": {}, **end}
    return [{"index": index, "delta": delta, "logprobs": None, "finish_reason": None} for delta in deltas] + [last]


def _grow_choice(whole: Object, choice: Object) -> None:
    """Add what one event says of a choice."""
    for name, value in choice.items():
        if name == "delta":
            _grow_message(whole.setdefault("message", {"role": "assistant", "content": None}), value)
        elif name == "text":
            whole["text"] = whole.get("text", "") + (value or "")
        elif value is not None or name not in whole:
            whole[name] = value


def _grow_message(message: Object, delta: Object) -> None:
    for name, value in delta.items():
        if name == "tool_calls":
            calls = message.setdefault("tool_calls", {})
            for call in value or ():
                _grow(calls.setdefault(call["index"], {}), call)
        else:
            _grow(message, {name: value})


def _grow(whole: Object, piece: Object) -> None:
    """Add a piece to an object: texts go on where they ended, and so do those of the objects inside."""
    for name, value in piece.items():
        if isinstance(value, dict):
            _grow(whole.setdefault(name, {}), value)
        elif isinstance(value, str) and name not in _WHOLE:
            whole[name] = (whole.get(name) or "") + value
        elif value is not None:
            whole[name] = value


def _whole(choice: Object) -> Object:
    """Return a choice as an answer in one piece has it."""
    message = choice.get("message")
    if message is None:
        return choice
    calls: dict[int, Object] = message.pop("tool_calls", {})
    if calls:
        message["tool_calls"] = [
            {name: value for name, value in calls[at].items() if name != "index"} for at in sorted(calls)
        ]
        message["content"] = message["content"] or None
    elif message["content"] is None:
        message["content"] = ""
    return choice


def _head(said: Object, name: object) -> Object:
    return {each: said[each] for each in _HEAD if said.get(each) is not None} | {"object": name}


def _event(chunk: Object) -> bytes:
    return b"data: " + codec.dumps(chunk) + b"\n\n"


def _unreadable() -> ReplicaFailed:
    return ReplicaFailed("The model server sent an answer that makes no sense.")
