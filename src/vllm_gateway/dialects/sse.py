"""Server-sent events, looked at while they pass (sans-io: fed bytes, gives bytes).

Format: https://html.spec.whatwg.org/multipage/server-sent-events.html. An event ends with a blank line; a line that
begins with a colon is a comment.

Most of a stream is content that nobody here needs to understand, so `StreamWatch` looks for a few byte patterns, and
parses events only from the first one on that tells how the answer ends. A pattern may be met too early, in what a model
wrote: that costs some parsing and changes nothing, because what is parsed decides.
"""

import re
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from vllm_gateway import codec
from vllm_gateway.errors import ReplicaFailed
from vllm_gateway.exchange import Usage

MAX_EVENT_BYTES = 4 * 1024 * 1024
"""An event this large is no token; whoever sends it is not answering. Logprobs of 20 tokens come to some KiB."""

_BLANK_LINE = re.compile(rb"\n\r?\n|\r\r")
"""Every line of a stream may end in its own way; LF before a lone CR is the one mixture that nobody writes."""
_LINE = re.compile(rb"\r\n|\n|\r")
_FIELD = re.compile(rb"(?:\A|[\r\n])[^:\r\n]")
"""The beginning of a line that is neither blank nor a comment."""
_DONE = b"[DONE]"


class Sighting(NamedTuple):
    """What one event says about how the answer goes."""

    finished: tuple[int, ...] = ()
    """Indexes of the choices that have come to their end."""
    is_broken: bool = False
    """The replica gave up: an error event, or a choice that it aborted."""
    is_end: bool = False
    """Nothing follows."""
    usage: Usage | None = None
    is_usage_only: bool = False
    """It carries nothing but the usage."""
    fingerprint: str | None = None
    """What it says of the replica's version and configuration."""


@dataclass(frozen=True, slots=True)
class Marks:
    """How the end of a stream looks in one dialect."""

    late: tuple[bytes, ...]
    """The first events worth understanding contain one of these: a choice that ends, an error, the end of all."""
    ending: bytes
    """A last event that can be added when a complete answer lacks its own; empty where none can be made up."""
    sight: Callable[[dict[str, Any]], Sighting]
    """Says what the JSON of one event tells."""


class StreamWatch:
    """Lets whole events through, holds back errors, and knows whether the answer is complete."""

    def __init__(self, marks: Marks, *, choices: int = 1, drop_usage: bool = False) -> None:
        self.error: bytes | None = None
        self.has_data = False
        self.usage: Usage | None = None
        self.fingerprint: str | None = None
        self._marks = marks
        self._late = marks.late
        self._choices = choices
        self._drop_usage = drop_usage
        self._held = bytearray()
        self._recent: deque[bytes] = deque(maxlen=4)
        self._finished: set[int] = set()
        self._is_late = False
        self._has_ended = False

    def feed(self, data: bytes) -> bytes:
        """Take what was read; return the whole events that may leave now.

        Raises:
            ReplicaFailed: an event is larger than any answer needs.
        """
        if self._held or not data.endswith((b"\n\n", b"\r\n\r\n")):
            data = self._whole_events(data)
            if not data:
                return data
        if self._is_late:
            return self._look(data)
        for mark in self._late:
            if data.rfind(mark) >= 0:  # twice as fast as looking from the front
                return self._look(data)
        self._recent.append(data)
        if not self.has_data:
            self.has_data = _has_data(data)
        return data

    def usage_so_far(self) -> Usage | None:
        """Return the usage, if it was told yet."""
        return self.usage

    def is_complete(self) -> bool:
        """Say whether every choice came to its end and no error was seen."""
        return self.error is None and len(self._finished) >= self._choices

    def ending(self) -> bytes:
        """Return the last event, if it is still owed."""
        return b"" if self._has_ended else self._marks.ending

    def mend(self) -> None:
        """Forget the half event and the error that the stream broke off with."""
        self._held.clear()
        self._recent.clear()
        self.error = None

    def _whole_events(self, data: bytes) -> bytes:
        """Keep the part of an event that has not ended yet; return what comes before it."""
        searched = max(0, len(self._held) - 2)  # what ends an event has at most three bytes; older ones hold none
        self._held += data
        ends = [match.end() for match in _BLANK_LINE.finditer(self._held, searched)]
        if not ends:
            if len(self._held) > MAX_EVENT_BYTES:
                raise ReplicaFailed("The model server sent an event that is too large.")
            return b""
        whole = bytes(self._held[: ends[-1]])
        del self._held[: ends[-1]]
        return whole

    def _look(self, data: bytes) -> bytes:
        """Understand event by event; return those that may leave."""
        if self.error is not None:
            return b""
        self._is_late = True
        leaving: list[bytes] = []
        for event in split_events(data):
            sighting = self._sight(event)
            if sighting.is_broken or self._ends_unfinished(sighting):
                self.error = _payload(event)
                break
            self._finished.update(sighting.finished)
            self._has_ended = self._has_ended or sighting.is_end
            self.usage = sighting.usage or self.usage
            self.fingerprint = sighting.fingerprint or self.fingerprint
            if not (self._drop_usage and sighting.is_usage_only):
                leaving.append(event)
        passed = b"".join(leaving)
        self.has_data = self.has_data or _has_data(passed)
        return passed

    def _ends_unfinished(self, sighting: Sighting) -> bool:
        """Say whether this is an end that comes too early; JSON that is not compact gets a second look first."""
        if not sighting.is_end or len(self._finished) + len(sighting.finished) >= self._choices:
            return False
        for data in self._recent:
            for event in split_events(data):
                sighting = self._sight(event)
                self._finished.update(() if sighting.is_broken else sighting.finished)
        return len(self._finished) < self._choices

    def _sight(self, event: bytes) -> Sighting:
        payload = _payload(event)
        if not payload:
            return Sighting()
        if payload == _DONE:
            return Sighting(is_end=True)
        try:
            value = codec.loads(payload)
        except codec.MalformedJson:
            return Sighting(is_broken=True)
        return self._marks.sight(value) if isinstance(value, dict) else Sighting()


class PlainWatch:
    """Lets everything through: for routes of which no stream is expected."""

    error: bytes | None = None
    usage: Usage | None = None
    fingerprint: str | None = None

    def __init__(self) -> None:
        self.has_data = False

    def feed(self, data: bytes) -> bytes:
        """Return `data`."""
        self.has_data = True
        return data

    def usage_so_far(self) -> Usage | None:
        """Return nothing: it is not looked for."""
        return self.usage

    def is_complete(self) -> bool:
        """Return True: nothing is known of how such an answer ends."""
        return True

    def ending(self) -> bytes:
        """Return nothing."""
        return b""

    def mend(self) -> None:
        """Do nothing: nothing is held."""


def payloads(data: bytes) -> Iterator[bytes]:
    """Give the JSON of every whole event of a stream; comments, the end and events without JSON have none."""
    for event in split_events(data):
        payload = _payload(event)
        if payload and payload != _DONE:
            yield payload


def split_events(data: bytes) -> list[bytes]:
    """Split whole events; each keeps its blank line."""
    ends = [match.end() for match in _BLANK_LINE.finditer(data)]
    return [data[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]


def _payload(event: bytes) -> bytes:
    """Return the data of an event; a comment has none."""
    lines = [line[5:].removeprefix(b" ") for line in _LINE.split(event) if line.startswith(b"data:")]
    return b"\n".join(lines)


def _has_data(events: bytes) -> bool:
    return _FIELD.search(events) is not None
