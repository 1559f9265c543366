"""What of a conversation fits into a model's context: the newest turns, and always the system prompt.

A turn is a question with all that followed it, up to the next question; the results of tools go with what asked for
them.

The number that decides is always a count of exactly the messages that will be sent. What is known of earlier turns only
guesses how many of them have to go, so that one count is enough as a rule.

No turn is dropped that would have fitted: the result was counted with one turn more, which was too much. That count is
saved where the last dropped turn is known to be larger, by a margin, than the room that is left. Its size is known from
what prompts grew by; it is off the margin only when a turn was written in another way before, with other tools, say, or
with reasoning that is not sent again.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from vllm_gateway import codec
from vllm_gateway.errors import ContextTooLong
from vllm_gateway.sessions.model import Begun, Message

Fields = dict[str, Any]
Count = Callable[[list[Fields]], Awaitable[int]]
"""Returns how many tokens a prompt of these messages has."""

_BYTES_PER_TOKEN = 4.0
"""A first guess for text of which nothing is known."""
_MOST_GUESSES = 4
"""So many counts follow guesses; then the rest is halved again and again."""
_DOUBT_TOKENS = 8
_DOUBT_SHARE = 8
"""Sizes are known but for what templates write around messages, and for an eighth."""
_RESULTS = frozenset({"tool", "function"})
"""The roles of what goes with the message before it."""
_MOST_AROUND = 32
"""More tokens than bytes and these is no message: what it was measured by has changed."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """What is sent, and how large it is."""

    first_kept: int
    """Place of the oldest message that is sent."""
    messages: list[Fields]
    prompt_tokens: int
    """What `messages` were counted to have."""


async def fit(
    window: Sequence[Message],
    *,
    first_kept: int,
    system: str | None,
    new: Sequence[Fields],
    limit_tokens: int,
    reply_tokens: int,
    prompt_tokens: int,
    count: Count,
) -> Fitted:
    """Leave out the oldest turns of `window` until the rest fits with `reply_tokens` into `limit_tokens`.

    `first_kept` is the place of the window's first message, `prompt_tokens` the size of the last prompt (0: not known).

    Raises:
        ContextTooLong: the system prompt and `new`, with the turn whose tools `new` gives results of, do not fit.
    """
    opening: list[Fields] = [{"role": "system", "content": system}] if system else []
    turns = _Turns(window, opening, new, prompt_tokens)
    allowed = limit_tokens - reply_tokens
    too_many, fitting = -1, len(turns.starts)  # most drops that are known not to do, fewest that are known to do
    best: Fitted | None = None
    drops, tokens, counts = 0, turns.expected_tokens, 0
    while fitting - too_many > 1:
        is_guess = counts < _MOST_GUESSES
        drops = turns.fewest(drops, tokens, allowed, too_many, fitting) if is_guess else (too_many + fitting) // 2
        messages = [*opening, *(message.fields for message in window[turns.starts[drops] :]), *new]
        tokens = await count(messages)
        counts += 1
        if tokens > allowed:
            too_many = drops
            continue
        fitting, best = drops, Fitted(first_kept + turns.starts[drops], messages, tokens)
        if turns.is_needed(drops, allowed - tokens):
            break
    if best is None:
        raise ContextTooLong(
            f"This turn needs {tokens + reply_tokens} tokens with system prompt and answer, and {limit_tokens} are "
            "allowed. Shorten it, or ask for a shorter answer."
        )
    return best


class _Turns:
    """The turns of a window, and about how large they are."""

    def __init__(
        self, window: Sequence[Message], opening: list[Fields], new: Sequence[Fields], prompt_tokens: int
    ) -> None:
        questions = [at for at, message in enumerate(window) if message.fields.get("role") == "user"]
        is_answered = bool(new) and new[0].get("role") in _RESULTS
        behind = [] if is_answered or not window else [len(window)]
        self.starts = [0, *questions[1:], *behind]
        """Where the window begins when so many turns are left out: never the one whose tools' results are new."""
        known = sum(message.tokens for message in window)
        known_bytes = sum(_size_bytes(message.fields) for message in window if message.tokens)
        ratio = max(1.0, known_bytes / known) if known else _BYTES_PER_TOKEN
        sizes = [message.tokens or round(_size_bytes(message.fields) / ratio) for message in window]
        self._before = [0, *accumulate(sizes)]
        self._is_known = [message.tokens > 0 for message in window]
        said_now = sum(round(_size_bytes(fields) / ratio) for fields in new)
        if prompt_tokens and window:
            self.expected_tokens = prompt_tokens + sizes[-1] + said_now
        else:
            self.expected_tokens = sum(sizes) + said_now + sum(round(_size_bytes(each) / ratio) for each in opening)
        """About how many tokens everything has together."""

    def fewest(self, drops: int, tokens: int, allowed: int, too_many: int, fitting: int) -> int:
        """Return the fewest drops between the bounds that should do, when `drops` of them leave `tokens`."""
        here = self._before[self.starts[drops]]
        for more in range(too_many + 1, fitting):
            if tokens - (self._before[self.starts[more]] - here) <= allowed:
                return more
        return fitting - 1

    def is_needed(self, drops: int, room: int) -> bool:
        """Say whether the last of the turns left out surely does not fit into the room that is left."""
        if drops == 0:
            return True
        begin, end = self.starts[drops - 1], self.starts[drops]
        size = self._before[end] - self._before[begin]
        return all(self._is_known[begin:end]) and size - size // _DOUBT_SHARE - _DOUBT_TOKENS > room


def new_messages(begun: Begun, fitted: Fitted, said: Sequence[Fields], output_tokens: int) -> tuple[Message, ...]:
    """Return the messages of a finished turn, the answer last, each with about the tokens that it takes.

    The answer takes what the model wrote; what was said takes what the prompt grew by since the last one, counting in
    what was left out of it.
    """
    *asked, answer = said
    session, window = begun.session, begun.window
    left_out = window[: fitted.first_kept - session.first_kept]
    share = 0
    if session.prompt_tokens and window and all(message.tokens for message in (*left_out, window[-1])):
        before = session.prompt_tokens + window[-1].tokens - sum(message.tokens for message in left_out)
        share = (fitted.prompt_tokens - before) // max(1, len(asked))
    return (*(_measured(fields, share) for fields in asked), _measured(answer, output_tokens))


def _measured(fields: Fields, tokens: int) -> Message:
    """Return a message with its size, unless that cannot be true."""
    is_possible = 0 < tokens <= _size_bytes(fields) + _MOST_AROUND
    return Message(fields, tokens if is_possible else 0)


def _size_bytes(fields: Fields) -> int:
    content = fields.get("content")
    if isinstance(content, str) and not fields.get("tool_calls"):
        return len(content.encode())
    return len(codec.dumps(fields))
