"""A watch that lets nothing denied out of a stream, in however many pieces it comes.

Events wait until as much text as a denied word can be long has come behind them, or their text has ended. They leave in
their order and byte for byte.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from vllm_gateway import codec
from vllm_gateway.dialects.pieces import Pieces, Strand, pieces_of
from vllm_gateway.dialects.sse import payloads, split_events
from vllm_gateway.errors import ContentRefused, ReplicaFailed
from vllm_gateway.exchange import Usage, Watch

MAX_HELD_BYTES = 1024 * 1024
"""More does not wait: where one choice comes to a halt, the others go on."""

_EDGE = 2
"""Characters beside a word that tell where it begins or ends."""
_DONE = b"[DONE]"


class Find(Protocol):
    """Says whether something denied stands in a text."""

    def __call__(self, text: str, *, skip: int = 0, goes_on: bool = False) -> bool:
        """Look behind the first `skip` characters; a text that `goes_on` may yet make something else of its end."""
        ...


@dataclass(slots=True)
class _Choice:
    """One of the answers in a stream."""

    said: int = 0
    """Characters so far, in all its strands."""
    clear: int = 0
    """How many of them have enough behind them."""
    strands: "dict[Strand, _Text]" = field(default_factory=dict)


@dataclass(slots=True)
class _Text:
    """The last of one growing text."""

    tail: str = ""
    is_cut: bool = False
    """Something stood before `tail`."""
    end: int = 0
    """What its choice had said when it was last added to."""
    is_open: bool = False
    """Its end was not yet held against the deny-list as an end."""


class _Held(NamedTuple):
    """An event that waits."""

    event: bytes
    places: list[tuple[_Choice, int]]
    """How far its choices had come with it, if it says something."""
    is_data: bool


class ScreenedWatch:
    """Watches as `watch` does, and holds events back until their text is known to be harmless."""

    def __init__(self, new_watch: Callable[[], Watch], find: Find, window: int, *, refusal: str) -> None:
        self.error: bytes | None = None
        self.has_data = False
        self.usage: Usage | None = None
        self._watch = new_watch()
        self._find = find
        self._refusal = refusal
        self._wait = window + _EDGE
        self._choices: dict[str, _Choice] = {}
        self._held: deque[_Held] = deque()
        self._held_bytes = 0

    @property
    def fingerprint(self) -> str | None:
        """What the replica said of its version and configuration."""
        return self._watch.fingerprint

    def mend(self) -> None:
        """Forget the half event and the error that the stream broke off with; what waits goes on waiting."""
        self._watch.mend()
        self.error = None

    def feed(self, data: bytes) -> bytes:
        """Take what was read; return the events that may leave now.

        Raises:
            ContentRefused: something denied was said; none of it has left.
            ReplicaFailed: an event is too large, or none that can be understood.
        """
        for event in split_events(self._watch.feed(data)):
            self._take(event)
        self.error, self.usage = self._watch.error, self._watch.usage
        leaving = self._leaving()
        self.has_data = self.has_data or any(held.is_data for held in leaving)
        return b"".join(held.event for held in leaving)

    def usage_so_far(self) -> Usage | None:
        """Return what the replica said of the usage last."""
        return self._watch.usage_so_far()

    def is_complete(self) -> bool:
        """Say whether the answer was seen whole, and all of it has left."""
        return self._watch.is_complete() and not self._held

    def ending(self) -> bytes:
        """Return what a complete answer still lacks at its end."""
        return self._watch.ending()

    def _take(self, event: bytes) -> None:
        """Look at one event, and let it wait for its turn."""
        payload = next(payloads(event), b"")
        pieces = _understood(payload) if payload else Pieces()
        is_end = not payload and _DONE in event
        if any(self._find(text) for text in pieces.wholes):
            raise ContentRefused(self._refusal)
        said = {strand[0] for strand, _ in pieces.strands}
        for strand, text in pieces.strands:
            self._add(self._choices.setdefault(strand[0], _Choice()), strand, text)
        self._end([*self._choices] if is_end else pieces.ended)
        places = [(self._choices[index], self._choices[index].said) for index in said]
        self._held.append(_Held(event, places, is_data=is_end or bool(payload)))
        self._held_bytes += len(event)

    def _add(self, choice: _Choice, strand: Strand, piece: str) -> None:
        text = choice.strands.setdefault(strand, _Text())
        whole = text.tail + piece
        if self._find(whole, skip=int(text.is_cut), goes_on=True):
            raise ContentRefused(self._refusal)
        choice.said += len(piece)
        choice.clear = max(choice.clear, choice.said - self._wait)
        text.tail = whole[-self._wait - _EDGE :]
        text.is_cut = text.is_cut or len(whole) > len(text.tail)
        text.end = choice.said
        text.is_open = True

    def _end(self, ended: list[str]) -> None:
        """Take it that these choices say no more in the strands that they have."""
        for index in ended:
            choice = self._choices.get(index)
            if choice is not None:
                self._settle(choice, choice.said)
                choice.clear = choice.said

    def _settle(self, choice: _Choice, until: int) -> None:
        """Hold the texts that nothing was added to since against the deny-list as they are."""
        for text in choice.strands.values():
            if text.is_open and text.end <= until:
                text.is_open = False
                if self._find(text.tail, skip=int(text.is_cut)):
                    raise ContentRefused(self._refusal)

    def _leaving(self) -> list[_Held]:
        """Return the events that need not wait any more."""
        if self._held_bytes > MAX_HELD_BYTES:
            self._end([*self._choices])
        leaving: list[_Held] = []
        while self._held and all(place <= choice.clear for choice, place in self._held[0].places):
            for choice, place in self._held[0].places:
                self._settle(choice, place)
            leaving.append(self._held.popleft())
            self._held_bytes -= len(leaving[-1].event)
        return leaving


def _understood(payload: bytes) -> Pieces:
    try:
        value = codec.loads(payload)
    except codec.MalformedJson:
        raise ReplicaFailed("The model server sent an event that makes no sense.") from None
    return pieces_of(value) if isinstance(value, dict) else Pieces()
