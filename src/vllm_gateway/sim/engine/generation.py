"""One choice on its way: from the model's next token to a piece of text and, at last, a reason to stop."""

from asyncio import Handle
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from vllm_gateway.sim.engine.blocks import BLOCK, Lease
from vllm_gateway.sim.engine.detokenize import StopWatch, TextStream
from vllm_gateway.sim.engine.model import GREEDY, Model, Sampling
from vllm_gateway.sim.engine.tokens import Special

_END = int(Special.END)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a caller wants of one prompt, checked and with every default filled in."""

    max_tokens: int
    min_tokens: int = 0
    stop: tuple[str, ...] = ()
    stop_token_ids: frozenset[int] = frozenset()
    ignore_eos: bool = False
    include_stop: bool = False
    skip_special: bool = True
    sampling: Sampling = GREEDY
    logprobs: int | None = None
    salt: int = 0
    banned: frozenset[int] = frozenset()
    allowed: tuple[int, ...] = ()
    in_one_piece: bool = False
    """The caller reads the answer at its end: nothing is lost when tokens are made several at a time."""


class Listener(Protocol):
    """Who a generation tells about its tokens."""

    def heard(self, generation: "Generation", token: int | None, text: str) -> None:
        """Take `token` and the text that may be sent since the last one; `finish_reason` is set on the last.

        No token comes with the end of a generation that the engine gave up.
        """
        ...


@dataclass(slots=True)
class Times:
    """When things happened to a generation, in seconds of the clock; 0 for not yet."""

    queued: float = 0.0
    scheduled: float = 0.0
    first_token: float = 0.0
    last_token: float = 0.0
    due: float = 0.0
    """When the newest token was to come."""


Ranked = list[tuple[int, float]]
"""Tokens and their log probabilities, the likeliest first."""


class Generation:
    """The tokens of one choice; `step` makes the next."""

    __slots__ = (
        "_is_bound",
        "_mind",
        "_pieces",
        "_stream",
        "_watch",
        "abort_at",
        "cached_tokens",
        "created_tokens",
        "delay_s",
        "finish_reason",
        "ids",
        "index",
        "is_ended",
        "lease",
        "listener",
        "logprobs",
        "prompt",
        "stop_reason",
        "timer",
        "times",
        "wish",
    )

    def __init__(self, model: Model, prompt: Sequence[int], wish: Wish, listener: Listener, *, index: int = 0) -> None:
        self.prompt = prompt
        self.wish = wish
        self.listener = listener
        self.index = index
        self.ids: list[int] = []
        self.logprobs: list[tuple[int, float, Ranked]] = []
        self.finish_reason: str | None = None
        self.stop_reason: int | str | None = None
        self.is_ended = False
        self.times = Times()
        self.lease: Lease | None = None
        # Of the prompt: what was not computed because the cache had it, and what was put there for others.
        self.cached_tokens = 0
        self.created_tokens = 0
        self.timer: Handle | None = None
        self.delay_s = 0.0
        self.abort_at: int | None = None
        self._mind = model.read(prompt)
        self._stream = TextStream(prompt, skip_special=wish.skip_special)
        watched = StopWatch(wish.stop, include=wish.include_stop, min_tokens=wish.min_tokens) if wish.stop else None
        self._watch = watched
        self._pieces: list[str] = []
        self._is_bound = bool(wish.banned or wish.allowed or wish.min_tokens)

    @property
    def text(self) -> str:
        """The whole text so far, as the caller may see it."""
        return "".join(self._pieces)

    def hold(self, lease: Lease) -> None:
        """Run on the blocks of `lease`; what the cache had of the prompt is what it had the first time."""
        if self.lease is None:
            self.cached_tokens, self.created_tokens = lease.cached_tokens, lease.created_tokens
        self.lease = lease

    def step(self) -> tuple[int, str]:
        """Make the next token; return it and the text that may be sent, and set `finish_reason` if it is the last."""
        wish = self.wish
        mind = self._mind
        token = mind.draw(wish.sampling)
        if self._is_bound:
            token = self._bend(token)
        if wish.logprobs is not None:
            self._note_logprobs(token, wish.logprobs)
        mind.feed(token)
        ids = self.ids
        ids.append(token)
        is_end = (token == _END or bool(wish.stop_token_ids)) and self._ends_with(token)
        text = "" if is_end and not wish.include_stop else self._stream.feed(token)
        if self.finish_reason is None:
            if len(ids) == self.abort_at:
                self.finish_reason = "abort"
            elif len(ids) >= wish.max_tokens:
                self.finish_reason = "length"
        if self._watch is not None:
            text = self._watched(text, self._watch)
        self._pieces.append(text)
        return token, text

    def make_room(self) -> bool:
        """Put the newest token, which the next one is computed from, into the KV cache; False when that is full."""
        lease = self.lease
        if lease is None or not self.ids:
            return True
        if not lease.room and not lease.add_block():
            return False
        lease.room -= 1
        if not lease.room:
            end = len(self.prompt) + len(self.ids)
            lease.close_block(self._between(end - BLOCK, end))
        return True

    def _between(self, start: int, end: int) -> list[int]:
        own = len(self.prompt)
        return [*self.prompt[start:own], *self.ids[max(0, start - own) : end - own]]

    def _bend(self, token: int) -> int:
        """Return `token`, or another one where the wish rules it out."""
        wish = self.wish
        banned = wish.banned
        if len(self.ids) < wish.min_tokens:
            banned = banned | wish.stop_token_ids | {_END}
        if wish.allowed:
            allowed = [other for other in wish.allowed if other not in banned] or wish.allowed
            return token if token in allowed else allowed[token % len(allowed)]
        if token in banned:
            return next(other for other, _ in self._mind.candidates(len(banned) + 1) if other not in banned)
        return token

    def _ends_with(self, token: int) -> bool:
        """Tell whether `token` itself ends the text, and note that it does."""
        wish = self.wish
        if token == _END:
            if wish.ignore_eos or len(self.ids) < wish.min_tokens:
                return False
            self.finish_reason = "stop"
            return True
        if token in wish.stop_token_ids and len(self.ids) >= wish.min_tokens:
            self.finish_reason, self.stop_reason = "stop", token
            return True
        return False

    def _watched(self, text: str, watch: StopWatch) -> str:
        stop = watch.feed(text)
        if stop is not None:
            self.finish_reason, self.stop_reason = "stop", stop
        return watch.take(is_last=self.finish_reason is not None)

    def _note_logprobs(self, token: int, count: int) -> None:
        ranked = self._mind.candidates(max(1, count))
        own = next((logprob for other, logprob in ranked if other == token), None)
        self.logprobs.append((token, self._mind.logprob(token) if own is None else own, ranked[:count]))
