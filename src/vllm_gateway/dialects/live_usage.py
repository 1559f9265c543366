"""Streams that say with every event how many tokens they have come to, so that what is broken off is billed exactly.

vLLM does so for `stream_options.continuous_usage_stats`. It counts an answer's tokens for each choice by itself, and
only in its last event for all of them together.
"""

import re
from dataclasses import replace
from typing import Any

from vllm_gateway import codec
from vllm_gateway.dialects.openai import usage_of
from vllm_gateway.dialects.sse import payloads, split_events
from vllm_gateway.exchange import Asked, Usage, Watch

_USAGE = re.compile(rb',"usage":\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}')
"""The member as vLLM writes it. Inside a text of JSON every quote has a backslash before it, so it is found nowhere
else."""
_MEMBER = b',"usage":{'
"""How it begins."""
_NO_CHOICES = b'"choices":[]'
"""The event that tells the usage of the whole answer."""


def telling_usage(asked: Asked) -> Asked:
    """Return the same request, asking for a stream that tells its usage all the time; the caller sees no difference."""
    if not asked.is_chunks:
        return asked
    options = asked.fields.get("stream_options")
    is_asked_for = isinstance(options, dict) and options.get("include_usage") and options.get("continuous_usage_stats")

    def new_watch() -> Watch:
        return LiveUsageWatch(asked.new_watch(), choices=asked.choices, is_hidden=not is_asked_for)

    return replace(asked, new_watch=new_watch, tells_usage=True)


class LiveUsageWatch:
    """Remembers what a stream says of its usage on the way, and takes it out of the events again."""

    def __init__(self, inner: Watch, *, choices: int, is_hidden: bool) -> None:
        self._inner = inner
        self._choices = choices
        self._is_hidden = is_hidden
        self._last = b""
        self._of_choices: dict[int, Usage] = {}

    @property
    def error(self) -> bytes | None:
        """The JSON of an in-band error event."""
        return self._inner.error

    @property
    def has_data(self) -> bool:
        """An event other than a comment has been let through."""
        return self._inner.has_data

    @property
    def usage(self) -> Usage | None:
        """The usage of the whole answer."""
        return self._inner.usage

    @property
    def fingerprint(self) -> str | None:
        """What the replica said of its version and configuration."""
        return self._inner.fingerprint

    def mend(self) -> None:
        """Forget the half event and the error that the stream broke off with."""
        self._inner.mend()

    def feed(self, data: bytes) -> bytes:
        """Take what was read; return the whole events that may leave now, without what was not asked for."""
        events = self._inner.feed(data)
        if events.rfind(_MEMBER) < 0:
            return events
        if events.rfind(_NO_CHOICES) >= 0:
            return b"".join(each if _NO_CHOICES in each else self._take(each) for each in split_events(events))
        return self._take(events)

    def usage_so_far(self) -> Usage | None:
        """Return what the events seen so far have come to, the choices together."""
        whole = self._inner.usage
        if self._choices == 1:
            self._note(self._last)
        told = list(self._of_choices.values())
        if not told:
            return whole
        so_far = Usage(
            prompt_tokens=max(each.prompt_tokens for each in told),
            completion_tokens=sum(each.completion_tokens for each in told),
            cached_tokens=max(each.cached_tokens for each in told),
        )
        return so_far if whole is None or whole.completion_tokens < so_far.completion_tokens else whole

    def is_complete(self) -> bool:
        """Say whether the answer was seen whole."""
        return self._inner.is_complete()

    def ending(self) -> bytes:
        """Return what a complete answer still lacks at its end."""
        return self._inner.ending()

    def _take(self, events: bytes) -> bytes:
        """Remember what events tell of the usage; one choice alone is looked at only when somebody asks."""
        without = _without_usage(events)
        if len(without) != len(events):
            self._last = events
            if self._choices > 1:
                self._note(events)
        return without if self._is_hidden else events

    def _note(self, events: bytes) -> None:
        for payload in payloads(events):
            chunk = codec.loads(payload)
            usage = usage_of(chunk.get("usage")) if isinstance(chunk, dict) else None
            if usage is not None:
                self._of_choices[_index(chunk)] = usage


def _without_usage(events: bytes) -> bytes:
    """Return events without what they say of their usage; mostly nothing is nested in it, and no pattern is needed."""
    first, *others = events.split(_MEMBER)
    kept = [first]
    for each in others:
        end = each.find(b"}")
        if end < 0 or each.find(b"{", 0, end) >= 0:
            return _USAGE.sub(b"", events)
        kept.append(each[end + 1 :])
    return b"".join(kept)


def _index(chunk: dict[str, Any]) -> int:
    choices = chunk.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    index = first.get("index") if isinstance(first, dict) else None
    return index if isinstance(index, int) else 0
