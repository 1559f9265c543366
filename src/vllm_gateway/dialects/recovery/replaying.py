"""Verified replay: the same request runs again elsewhere, and what was told already is swallowed while it is equal.

Replicas cut an answer into chunks in their own ways, so texts are compared and not events: for each choice every strand
of text by itself (content, reasoning, the arguments of each tool call, ...). Nothing new of a choice is let through
before all that was told of it has been heard again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from vllm_gateway import codec
from vllm_gateway.dialects.recovery.told import Strand, Told, ToldChoice
from vllm_gateway.dialects.sse import payloads, split_events
from vllm_gateway.errors import ReplicaFailed, ReplicaTruncated

_GAVE_UP = frozenset({"abort", "error"})
"""Reasons of an end that is a failure of the replica."""
_PER_TOKEN = ("content", "tokens", "token_logprobs", "top_logprobs", "text_offset")
"""Members of log probabilities that have an entry for each token, of a chat or of a completion."""
_OF_PROMPT = ("prompt_token_ids", "prompt_text", "prompt_logprobs")
"""What a stream says of its prompt, in its first chunk."""
_COMPARED_OF_CALL = frozenset({"index", "id", "type", "function"})
"""Members of a tool call that are understood here."""
_ALWAYS_THERE = frozenset({"text", "arguments"})
"""Members that every chunk of a completion or of a tool call has."""


class Replay:
    """Hears a whole answer again, and lets through what its caller has not been told yet.

    Args:
        told: What the caller was told so far; what it is told from now on changes nothing here.
        has_ids: The caller sees the ids of the tokens; otherwise they are taken out.
    """

    def __init__(self, told: Told, *, has_ids: bool = False) -> None:
        self._has_ids = has_ids
        self._choices = {index: _Choice(each, has_ids=has_ids) for index, each in told.choices.items()}
        self._facts = dict(told.facts)
        self._is_usage_told = told.is_usage_told

    def feed(self, data: bytes) -> bytes:
        """Take whole events of the new answer; return those that are new to the caller, in the first stream's shape.

        Raises:
            ReplicaTruncated: the answer is another one.
            ReplicaFailed: an event is no JSON.
        """
        return b"".join(self._new_of(event) for event in split_events(data))

    def _new_of(self, event: bytes) -> bytes:
        payload = next(payloads(event), None)
        if payload is None:
            return event
        try:
            chunk = codec.loads(payload)
        except codec.MalformedJson as error:
            raise ReplicaFailed("The model server sent an event that is no JSON.") from error
        choices = chunk.get("choices") if isinstance(chunk, dict) else None
        if not isinstance(choices, list) or any(_gives_up(choice) for choice in choices):
            return event  # whoever watches the stream knows what an error means
        if choices:
            chunk["choices"] = [choice for choice in choices if self._is_new(choice)]
            if not chunk["choices"]:
                return b""
        elif self._is_usage_told:
            return b""
        if self._facts:
            _forget_prompt(chunk)
            chunk.update({name: value for name, value in self._facts.items() if name in chunk})
        return b"data: " + codec.dumps(chunk) + b"\n\n"

    def _is_new(self, choice: dict[str, Any]) -> bool:
        """Take from a choice what was told of it; say whether something is left."""
        index = _index(choice)
        known = self._choices.get(index)
        if known is None:
            known = self._choices[index] = _Choice(ToldChoice(), has_ids=self._has_ids)
        return known.takes(choice)


class _Role(Enum):
    """Whether a delta names the speaker."""

    NONE = auto()
    TOLD = auto()
    NEW = auto()


class _Choice:
    """One choice: what was told of it, and how much of that was heard again."""

    def __init__(self, told: ToldChoice, *, has_ids: bool) -> None:
        self._texts = told.strands
        self._calls = frozenset(told.tool_ids)
        self._ids = told.token_ids.tolist() if has_ids else []
        self._has_ids = has_ids
        self._logprobs = told.logprobs
        self._finish_reason = told.finish_reason
        self._has_role = told.has_role
        self._heard: dict[Strand, int] = {}
        self._heard_ids = 0
        self._heard_logprobs = 0
        self._owed = sum(map(len, self._texts.values()))
        """Characters that were told and have not been heard again."""
        self._is_past = not (self._owed or self._calls or self._ids or self._logprobs or told.finish_reason)
        """It has come to what is new."""

    def takes(self, choice: dict[str, Any]) -> bool:
        """Take out what was told; say whether something is left.

        Raises:
            ReplicaTruncated: it says something else.
        """
        if not self._is_past:
            _check_shape(choice)
            _forget_prompt(choice)
        owed = self._owed
        role = self._take_role(choice)
        is_calling = self._take_calls(choice)
        text = self._take_texts(choice)
        is_ending = self._take_finish(choice)
        is_counting = self._take_ids(choice) | self._take_logprobs(choice, text, is_cut=owed > self._owed)
        if not (is_calling or text or is_ending or is_counting):
            is_silent = not self._has_ids and choice.get("delta") == {}
            return role is _Role.NEW or (self._is_past and role is _Role.NONE and not is_silent)
        if self._owed or self._finish_reason is not None:
            raise _differs()
        self._is_past = True
        return True

    def _take_role(self, choice: dict[str, Any]) -> _Role:
        """Take out a role that was told, or that comes too late to be told."""
        delta = choice.get("delta")
        if not isinstance(delta, dict) or delta.get("role") is None:
            return _Role.NONE
        if self._has_role or self._owed:
            del delta["role"]
            return _Role.TOLD
        return _Role.NEW

    def _take_calls(self, choice: dict[str, Any]) -> bool:
        """Take out the ids of tool calls that were told, which differ everywhere; say whether a call is new."""
        is_new = False
        for index, call in _calls(choice):
            if index in self._calls:
                call.pop("id", None)
                call.pop("type", None)
            else:
                is_new = is_new or call.get("id") is not None
        return is_new

    def _take_texts(self, choice: dict[str, Any]) -> str:
        """Take out of every text what was told; return what is new."""
        if not self._owed:
            return "".join(place.text for place in _places(choice))
        new = ""
        for place in list(_places(choice)):
            rest = self._rest_of(place.strand, place.text)
            new += rest
            if len(rest) != len(place.text):
                place.put(rest)
        return new

    def _rest_of(self, strand: Strand, text: str) -> str:
        """Return what of a strand's next text is new."""
        told = self._texts.get(strand, "")
        at = self._heard.get(strand, 0)
        again = min(len(told) - at, len(text))
        if not told.startswith(text[:again], at):
            raise _differs()
        self._heard[strand] = at + again
        self._owed -= again
        return text[again:]

    def _take_finish(self, choice: dict[str, Any]) -> bool:
        """Say whether the choice ends, and its caller does not know that."""
        reason = choice.get("finish_reason")
        if reason is None:
            return False
        if self._owed or self._finish_reason not in (None, reason):
            raise _differs()
        return self._finish_reason is None

    def _take_ids(self, choice: dict[str, Any]) -> bool:
        """Take out ids of tokens that were told, or that nobody asked for; say whether some are new."""
        ids = choice.get("token_ids")
        if not isinstance(ids, list):
            return False
        if not self._has_ids:
            choice["token_ids"] = None
            _forget_prompt(choice)
            return False
        told = self._ids[self._heard_ids : self._heard_ids + len(ids)]
        if ids[: len(told)] != told:
            raise _differs()
        self._heard_ids += len(told)
        if told:
            choice["token_ids"] = ids[len(told) :]
        return len(ids) > len(told)

    def _take_logprobs(self, choice: dict[str, Any], text: str, *, is_cut: bool) -> bool:
        """Take out log probabilities of tokens that were told; say whether some are new.

        Where a part of the event was told, they stay only if they are those of the text that is left.
        """
        logprobs = choice.get("logprobs")
        if not isinstance(logprobs, dict):
            return False
        names = [name for name in _PER_TOKEN if isinstance(logprobs.get(name), list)]
        count = max((len(logprobs[name]) for name in names), default=0)
        told = min(self._logprobs - self._heard_logprobs, count)
        self._heard_logprobs += told
        if told or is_cut:
            rest = logprobs | {name: logprobs[name][told:] for name in names}
            count = count - told if _text_of(rest) == text else 0
            choice["logprobs"] = rest if count else None
        return count > 0 and not self._owed


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a piece of text stands in a choice of a chunk."""

    strand: Strand
    holder: dict[str, Any]

    @property
    def text(self) -> str:
        """The piece."""
        text: str = self.holder[self.strand[0]]
        return text

    def put(self, rest: str) -> None:
        """Leave only the rest of it, be it empty where clients take a text for granted."""
        name, _ = self.strand
        if rest or name in _ALWAYS_THERE:
            self.holder[name] = rest
        else:
            del self.holder[name]


def _places(choice: dict[str, Any]) -> Iterator[_Place]:
    """Give every piece of text that a choice of a chunk adds to its answer, by the strands that are told apart."""
    if isinstance(choice.get("text"), str):
        yield _Place(("text", 0), choice)
    if isinstance(delta := choice.get("delta"), dict):
        yield from (
            _Place((name, 0), delta) for name, text in delta.items() if isinstance(text, str) and name != "role"
        )
    for index, call in _calls(choice):
        function = call.get("function")
        for name in ("name", "arguments"):
            if isinstance(function, dict) and isinstance(function.get(name), str):
                yield _Place((name, index), function)


def _calls(choice: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Give the tool calls of a delta, each with its index."""
    delta = choice.get("delta")
    calls = delta.get("tool_calls") if isinstance(delta, dict) else None
    for call in calls if isinstance(calls, list) else ():
        if isinstance(call, dict):
            yield _index(call), call


def _index(said: dict[str, Any]) -> int:
    index = said.get("index")
    return index if isinstance(index, int) else 0


def _check_shape(choice: dict[str, Any]) -> None:
    """Refuse to compare what is not understood."""
    delta = choice.get("delta")
    for name, value in delta.items() if isinstance(delta, dict) else ():
        if value and not isinstance(value, str) and name != "tool_calls":
            raise _differs()
    for _, call in _calls(choice):
        if any(value for name, value in call.items() if name not in _COMPARED_OF_CALL):
            raise _differs()


def _forget_prompt(said: dict[str, Any]) -> None:
    """Take out what was said of the prompt, which is told once."""
    for name in _OF_PROMPT:
        if said.get(name) is not None:
            said[name] = None


def _text_of(logprobs: dict[str, Any]) -> str:
    """Return the text of the tokens that log probabilities are told of."""
    entries = logprobs.get("content") or logprobs.get("tokens") or ()
    return "".join(str(entry.get("token") if isinstance(entry, dict) else entry) for entry in entries)


def _gives_up(choice: object) -> bool:
    return not isinstance(choice, dict) or choice.get("finish_reason") in _GAVE_UP


def _differs() -> ReplicaTruncated:
    return ReplicaTruncated("The model server's answer broke off, and another one answered differently.")
