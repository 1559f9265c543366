"""What a stream of chunks has told its caller so far.

While nothing fails the events are only kept, as they came. They are understood when somebody asks, or when so many have
come together that what they say takes much less room than they do.
"""

import contextlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from vllm_gateway import codec
from vllm_gateway.dialects.sse import payloads

KEEP_BYTES = 64 * 1024
"""Events that are kept as they came, for one stream."""

Strand = tuple[str, int]
"""What a piece of text belongs to: the member of a delta (`content`, `reasoning`, `refusal`, ...), of a completion
(`text`) or of a tool call (`name`, `arguments`); and the index of the tool call, otherwise 0."""

_MOST_PARTS = 256
"""Pieces of a text that are kept apart; each takes much more room than its few characters."""
_AT_ONCE = 16
"""Reads that are parsed together; more would take memory that has to be fetched from the system first."""
_NEXT = b"\n\ndata: "
_TEXT: Strand = ("text", 0)
_CONTENT: Strand = ("content", 0)
_PLAIN = frozenset({"id", "object", "created", "model", "choices", "usage"})
_PLAIN_CHOICE = frozenset(
    {"index", "delta", "text", "logprobs", "finish_reason", "stop_reason", "prompt_token_ids", "token_ids"}
)
_BROKEN = ("abort", "error")
"""Reasons to finish that a replica gives when it gave up; whoever asked is not told them."""


@dataclass(slots=True)
class ToldChoice:
    """What was told of one choice."""

    has_role: bool = False
    last: Strand | None = None
    """Where the newest text belongs to."""
    token_ids: "array[int]" = field(default_factory=lambda: array("I"))
    tool_ids: dict[int, str] = field(default_factory=dict)
    """What each tool call was named."""
    logprobs: int = 0
    """How many tokens the log probabilities were told of."""
    finish_reason: str | None = None
    _parts: dict[Strand, list[str]] = field(default_factory=dict)

    @property
    def strands(self) -> dict[Strand, str]:
        """The text of every strand, in the order in which they began; those without text are left out."""
        return {strand: text for strand in list(self._parts) if (text := self.text(strand))}

    def text(self, strand: Strand) -> str:
        """Return what was told of one strand."""
        parts = self._parts.get(strand)
        if not parts:
            return ""
        if len(parts) > 1:
            parts[:] = ["".join(parts)]
        return parts[0]

    def add(self, strand: Strand, text: str) -> None:
        """Take text that was told."""
        if text:
            parts = self._parts.setdefault(strand, [])
            parts.append(text)
            self.last = strand
            if len(parts) > _MOST_PARTS:
                parts[:] = ["".join(parts)]


class Told:
    """All that a stream of chat or completions chunks has told, choice by choice."""

    def __init__(self) -> None:
        self.facts: dict[str, Any] = {}
        """What every chunk says: `id`, `object`, `created`, `model` and whatever else the first one has beside its
        choices."""
        self.prompt_token_ids: array[int] | None = None
        self.is_usage_told = False
        """The usage of the whole answer was told."""
        self._choices: dict[int, ToldChoice] = {}
        self._kept: list[bytes] = []
        self._kept_bytes = 0
        self._chunks = 0
        self._is_broken = False

    @property
    def choices(self) -> dict[int, ToldChoice]:
        """What was told of each choice, by its index."""
        self.fold()
        return self._choices

    @property
    def is_nothing(self) -> bool:
        """Nothing was told but who speaks: another answer may take the place of this one."""
        return all(not choice.strands and choice.finish_reason is None for choice in self.choices.values())

    @property
    def tokens(self) -> int:
        """How many tokens prompt and answer have come to; where ids are not told, the chunks are counted."""
        self.fold()
        ids = sum(len(choice.token_ids) for choice in self._choices.values())
        return len(self.prompt_token_ids or ()) + max(ids, self._chunks)

    @property
    def events(self) -> int:
        """How many chunks were told; counted, not understood, because somebody may ask every second."""
        return self._chunks + sum(events.count(b"\n\n") for events in self._kept)

    def keep(self, events: bytes) -> bool:
        """Take whole events that the caller gets; return True when they were folded."""
        self._kept.append(events)
        self._kept_bytes += len(events)
        if self._kept_bytes <= KEEP_BYTES:
            return False
        self.fold()
        return True

    def fold(self) -> None:
        """Understand what is kept."""
        if not self._kept:
            return
        kept, self._kept, self._kept_bytes = self._kept, [], 0
        for at in range(0, len(kept), _AT_ONCE):
            for chunk in chunks(b"".join(kept[at : at + _AT_ONCE])):
                self.take(chunk)

    def take(self, chunk: dict[str, Any] | None) -> None:
        """Take one chunk; from one on in which the replica gives up, the caller gets no more of this replica."""
        if self._is_broken or (chunk is not None and self._take_plain(chunk)):
            return
        if chunk is None or is_broken(chunk):
            self._is_broken = True
            return
        self._chunks += 1
        if not self.facts:
            left_out = ("choices", "usage", "prompt_token_ids")
            self.facts = {name: value for name, value in chunk.items() if name not in left_out}
        elif chunk.get("system_fingerprint") is not None:
            self.facts["system_fingerprint"] = chunk["system_fingerprint"]
        self._note_prompt(chunk)
        self.is_usage_told = self.is_usage_told or (not chunk["choices"] and chunk.get("usage") is not None)
        for choice in chunk["choices"]:
            self._note_prompt(choice)
            told = self._choices.setdefault(_index(choice), ToldChoice())
            for strand, text in pieces(choice):
                told.add(strand, text)
            _note(told, choice)

    def _take_plain(self, chunk: dict[str, Any]) -> bool:
        """Take a chunk that has nothing but text of one choice, as nearly all have; False: it has more."""
        choices = chunk.get("choices")
        if not self.facts or not isinstance(choices, list) or len(choices) != 1 or not _PLAIN.issuperset(chunk):
            return False
        choice = choices[0]
        if not isinstance(choice, dict) or not _PLAIN_CHOICE.issuperset(choice):
            return False
        told = self._choices.get(_index(choice))
        if told is None or choice.get("finish_reason") is not None or choice.get("logprobs") is not None:
            return False
        strand, text = _TEXT, choice.get("text")
        if text is None:
            delta = choice.get("delta")
            if not isinstance(delta, dict) or len(delta) != 1:
                return False
            strand, text = _CONTENT, delta.get("content")
        if not isinstance(text, str) or choice.get("prompt_token_ids") is not None:
            return False
        self._chunks += 1
        told.add(strand, text)
        _note_ids(told, choice)
        return True

    def new_leg(self) -> None:
        """Expect events of another replica."""
        self.fold()
        self._is_broken = False

    def forget_ids(self) -> None:
        """Forget the token ids of the answer, because another one is about to tell them from the beginning."""
        for choice in self.choices.values():
            del choice.token_ids[:]

    def take_ids(self, events: bytes) -> None:
        """Take nothing but the token ids of whole events."""
        self.fold()
        for chunk in chunks(events):
            if chunk is None or is_broken(chunk):
                return
            self._note_prompt(chunk)
            for choice in chunk["choices"]:
                self._note_prompt(choice)
                _note_ids(self._choices.setdefault(_index(choice), ToldChoice()), choice)

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()
        self._kept_bytes = 0
        self._choices.clear()
        self.prompt_token_ids = None

    def _note_prompt(self, said: dict[str, Any]) -> None:
        ids = said.get("prompt_token_ids")
        if isinstance(ids, list) and self.prompt_token_ids is None:
            with contextlib.suppress(TypeError, OverflowError):
                self.prompt_token_ids = array("I", ids)


def chunks(events: bytes) -> Iterator[dict[str, Any] | None]:
    """Give the chunks of whole events; None for one that is no JSON object."""
    if (
        events.count(_NEXT) == events.count(b"\n") // 2 - 1
        and events.startswith(b"data: {")
        and events[-3:] == b"}\n\n"
    ):
        try:
            together = codec.loads(b"[" + events[6:-2].replace(_NEXT, b",") + b"]")
        except codec.MalformedJson:
            together = []
        if together:
            yield from (chunk if isinstance(chunk, dict) else None for chunk in together)
            return
    for payload in payloads(events):
        try:
            chunk = codec.loads(payload)
        except codec.MalformedJson:
            yield None
            return
        yield chunk if isinstance(chunk, dict) else None


def is_broken(chunk: dict[str, Any]) -> bool:
    """Say whether the replica gives up in this chunk, or whether it is no chunk at all."""
    choices = chunk.get("choices")
    if not isinstance(choices, list) or "error" in chunk:
        return True
    return any(not isinstance(choice, dict) or choice.get("finish_reason") in _BROKEN for choice in choices)


def pieces(choice: dict[str, Any]) -> Iterator[tuple[Strand, str]]:
    """Give the text of one chunk's choice, piece by piece with the strand it belongs to."""
    text = choice.get("text")
    if isinstance(text, str):
        yield ("text", 0), text
    delta = choice.get("delta")
    for name, value in delta.items() if isinstance(delta, dict) else ():
        if name == "tool_calls" and isinstance(value, list):
            for call in value:
                yield from _pieces_of_call(call)
        elif isinstance(value, str) and name != "role":
            yield (name, 0), value


def _pieces_of_call(call: object) -> Iterator[tuple[Strand, str]]:
    if not isinstance(call, dict):
        return
    function = call.get("function")
    for name in ("name", "arguments"):
        value = function.get(name) if isinstance(function, dict) else None
        if isinstance(value, str):
            yield (name, _index(call)), value


def _note(told: ToldChoice, choice: dict[str, Any]) -> None:
    """Note what a chunk says of its choice beside the text."""
    delta = choice.get("delta")
    if isinstance(delta, dict):
        told.has_role = told.has_role or "role" in delta
        for call in delta.get("tool_calls") or ():
            if isinstance(call, dict) and isinstance(call.get("id"), str):
                told.tool_ids.setdefault(_index(call), call["id"])
    _note_ids(told, choice)
    logprobs = choice.get("logprobs")
    if isinstance(logprobs, dict):
        told.logprobs += len(logprobs.get("content") or logprobs.get("tokens") or ())
    if isinstance(reason := choice.get("finish_reason"), str):
        told.finish_reason = reason


def _note_ids(told: ToldChoice, choice: dict[str, Any]) -> None:
    ids = choice.get("token_ids")
    if isinstance(ids, list):
        with contextlib.suppress(TypeError, OverflowError):  # numbers that are no ids say nothing
            told.token_ids.extend(ids)


def _index(said: dict[str, Any]) -> int:
    index = said.get("index")
    return index if isinstance(index, int) else 0
