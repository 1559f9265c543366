"""One streamed answer, from its first replica to the last that it goes on from."""

import re

from vllm_gateway import codec
from vllm_gateway.dialects.recovery.continuing import SAME, Continuation, Request, leg_for
from vllm_gateway.dialects.recovery.continuing_chat import ChatContinuation, chat_leg_for
from vllm_gateway.dialects.recovery.cutting import Answer, find_cut
from vllm_gateway.dialects.recovery.replaying import Replay
from vllm_gateway.dialects.recovery.safety import Ways
from vllm_gateway.dialects.recovery.told import Told
from vllm_gateway.dialects.sse import MAX_EVENT_BYTES, payloads, split_events
from vllm_gateway.errors import ReplicaFailed
from vllm_gateway.exchange import Ask, Asked, Leg
from vllm_gateway.settings.fleet import Resume

_IDS = re.compile(rb'token_ids": ?\[[\d, ]*\]')
"""Token ids, of the prompt or of a token. Inside a text of JSON every quote has a backslash before it, so they are
found nowhere else."""
_NO_IDS = b'token_ids":null'
_MEMBER = b'token_ids":'
_SILENT = re.compile(rb'"delta": ?\{\}')
"""A delta with nothing in it. vLLM sends these for tokens without text only when it is asked for their ids."""
_BLANK_LINE = re.compile(rb"\n\r?\n|\r\r")
_REASONING = ("reasoning", "reasoning_content")
_CONTINUED = frozenset({"content", "text", *_REASONING})
"""Strands that are nothing but the text of the tokens."""
_UNSURE_BYTES = 4 * 1024
"""What is kept of a stream that can only begin anew; its first text comes sooner."""


class ChunkRecovery:
    """Knows what a stream of chunks has told, and how it goes on.

    Args:
        asked: What is asked for.
        sent: The body that its first replica got.
        ways: How the stream may go on.
        resume: The settings.
        max_model_len: The longest prompt and answer together that the model takes, where that is known.
    """

    def __init__(
        self, asked: Asked, sent: bytes, ways: Ways, resume: Resume, *, max_model_len: int | None = None
    ) -> None:
        self._path = asked.path
        self._choices = asked.choices
        self._sent = sent
        self._ways = ways
        self._most_tokens = resume.most_tokens
        self._max_model_len = max_model_len
        self._shows_ids = bool(asked.fields.get("return_token_ids"))
        self._hides_ids = ways.by_ids and not self._shows_ids
        self._told = Told()
        self._half = bytearray()
        self._leg: Continuation | Replay | None = None
        self._is_off = False
        self._unsure = 0 if ways.by_ids or ways.by_replay else _UNSURE_BYTES

    @property
    def is_over(self) -> bool:
        """The answer is complete although its replica may go on; that one need not be listened to any longer."""
        return isinstance(self._leg, Continuation) and self._leg.is_over

    @property
    def events(self) -> int | None:
        """How many events have been told so far; None when the stream has become too long to be kept."""
        return None if self._is_off else self._told.events

    def feed(self, data: bytes) -> bytes:
        """Take what was read; return the whole events that go on.

        Raises:
            ReplicaFailed: an event is no JSON, or too large to be an answer.
            ReplicaTruncated: what came cannot be the rest of the answer.
        """
        if self._half or not data.endswith(b"\n\n"):
            data = self._whole(data)
            if not data:
                return data
        if self._leg is not None:
            return self._go_on(self._leg, data)
        if not self._hides_ids:
            if data.count(b"}\n\n") != data.count(b"data:"):
                _check(data)
            self._keep(data)
            return data
        events, count = _without_ids(data)
        if count != data.count(b"data:"):
            _check(data)
        self._keep(data)
        return _without_silent(events) if events.rfind(b"{}") >= 0 and _SILENT.search(events) else events

    def ending(self) -> bytes:
        """Return what is left to say of an answer that was told to its last word; nothing when that is not so."""
        self._half.clear()
        if self._is_off:
            return b""
        self._told.new_leg()
        choices = self._told.choices
        if len(choices) < self._choices or any(each.finish_reason is None for each in choices.values()):
            return b""
        request = Request(self._path, codec.loads(self._sent), self._max_model_len)
        if request.wants_usage and not self._told.is_usage_told:
            prompt, ids = self._told.prompt_token_ids, sum(len(each.token_ids) for each in choices.values())
            if prompt is None or not ids:
                return b""
            facts = {name: self._told.facts[name] for name in SAME if name in self._told.facts}
            usage = {"prompt_tokens": len(prompt), "total_tokens": len(prompt) + ids, "completion_tokens": ids}
            return b"data: " + codec.dumps(facts | {"choices": [], "usage": usage}) + b"\n\ndata: [DONE]\n\n"
        return b"data: [DONE]\n\n"

    async def next_leg(self, ask: Ask, *, is_twin: bool, is_sure: bool = True) -> Leg | None:
        """Return what to ask the replica behind `ask`, whose answer is fed in next; None when it cannot go on.

        By token ids, if it is a twin for sure. A likely one is rather compared, where a replay can do that.
        """
        self._half.clear()
        if self._is_off:
            return None
        told = self._told
        told.new_leg()
        if told.tokens > self._most_tokens:
            self._give_up()
            return None
        if told.is_nothing:
            return self._begin_anew()
        if self._ways.by_ids and is_twin and (is_sure or not self._ways.by_replay):
            leg = await self._continue(ask)
            if leg is not None:
                return leg
        return self._replay() if self._ways.by_replay else None

    def _whole(self, data: bytes) -> bytes:
        """Keep the part of an event that has not ended yet; return what comes before it."""
        searched = max(0, len(self._half) - 2)  # what ends an event has at most three bytes; older ones hold none
        self._half += data
        ends = [match.end() for match in _BLANK_LINE.finditer(self._half, searched)]
        end = ends[-1] if ends else 0
        whole = bytes(self._half[:end])
        del self._half[:end]
        if len(self._half) > MAX_EVENT_BYTES:
            raise ReplicaFailed("The model server sent an event that is too large.")
        return whole

    def _keep(self, events: bytes) -> None:
        if self._is_off:
            return
        if self._unsure:
            self._unsure -= len(events)
            if self._unsure <= 0:
                self._give_up()
                return
        if self._told.keep(events) and self._told.tokens > self._most_tokens:
            self._give_up()

    def _give_up(self) -> None:
        """Free what was kept: the stream has become too long to go on elsewhere."""
        self._is_off = True
        self._told.clear()

    def _go_on(self, leg: Continuation | Replay, events: bytes) -> bytes:
        if isinstance(leg, Continuation):
            return leg.feed(events)
        new = leg.feed(events)
        if self._shows_ids:  # the ids belong to what is compared, and to what was told
            self._told.keep(new)
            return new
        self._told.take_ids(events)
        without = _without_silent(_IDS.sub(_NO_IDS, new))
        self._told.keep(without)
        return without if self._hides_ids else new

    def _begin_anew(self) -> Leg:
        """Ask for the answer again: nothing of it was told."""
        if not self._told.facts:
            self._leg = None
            self._told = Told()
            return Leg(self._path, self._sent)
        return self._replay()

    def _replay(self) -> Leg:
        self._leg = Replay(self._told, has_ids=self._shows_ids)
        if not self._shows_ids:
            self._told.forget_ids()
        return Leg(self._path, self._sent)

    async def _continue(self, ask: Ask) -> Leg | None:
        """Return the question that goes on behind the tokens so far, if they say what was told."""
        told = self._told
        choice = told.choices.get(0)
        if choice is None or choice.last is None or told.prompt_token_ids is None or choice.finish_reason is not None:
            return None
        kinds = {kind for kind, _ in choice.strands}
        is_thinking = choice.last[0] in _REASONING
        request = Request(self._path, codec.loads(self._sent), self._max_model_len)
        if not kinds <= _CONTINUED or (is_thinking and request.stops):
            return None
        answer = Answer(
            told.prompt_token_ids,
            choice.token_ids,
            choice.text(choice.last),
            is_behind_reasoning=is_thinking or len(kinds) > 1 or request.fields.get("include_reasoning") is False,
            hold=request.hold,
        )
        cut = await find_cut(ask, request.fields.get("model"), answer)
        if cut is None or (self._shows_ids and cut.kept < len(choice.token_ids)):
            return None
        leg = await chat_leg_for(ask, request, told, cut.kept) if is_thinking else leg_for(request, told, cut.kept)
        if leg is not None:
            kind = ChatContinuation if is_thinking else Continuation
            self._leg = kind(request, told, cut, shows_ids=self._shows_ids)
        return leg


def _without_ids(events: bytes) -> tuple[bytes, int]:
    """Return events without token ids, and in how many places these were; mostly it is one event with one id."""
    at = events.rfind(_MEMBER)
    end = events.find(b"]", at)
    told = events[at + len(_MEMBER) : end]
    if at < 0 or events.rfind(_MEMBER, 0, at) >= 0 or told[:1] != b"[" or not told[1:].isdigit():
        return _IDS.subn(_NO_IDS, events)
    return events[:at] + _NO_IDS + events[end + 1 :], 1


def _check(events: bytes) -> None:
    """Raise when an event is no JSON."""
    for payload in payloads(events):
        try:
            codec.loads(payload)
        except codec.MalformedJson as error:
            raise ReplicaFailed("The model server sent an event that is not JSON.") from error


def _without_silent(events: bytes) -> bytes:
    """Leave out the events that exist for their token ids only."""
    kept = [event for event in split_events(events) if not (_SILENT.search(event) and _is_silent(event))]
    return b"".join(kept)


def _is_silent(event: bytes) -> bool:
    """Say whether every choice of an event says nothing at all."""
    choices = [choice for payload in payloads(event) for choice in codec.loads(payload).get("choices") or ()]
    return bool(choices) and all(choice.get("delta") == {} and not choice.get("finish_reason") for choice in choices)
