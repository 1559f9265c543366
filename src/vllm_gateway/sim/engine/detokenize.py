"""From tokens to text as they come, with vLLM's delays and with its one trap.

Text lags behind the tokens for two reasons: a character waits for its last byte, and what may be the beginning of a
stop string waits until it is known not to be. The trap: a prompt that ends inside a character makes the whole prompt
part of the first text (the decoder has no clean point to count new text from). Clients of a real vLLM meet all three.
"""

from collections.abc import Sequence

from vllm_gateway.sim.engine.tokens import BYTES, FIRST_SPECIAL, FIRST_WORD, FRAGMENTS, SIZE, decode_bytes

_UNKNOWN = "\N{REPLACEMENT CHARACTER}"
_TEXT_OF: list[str | None] = [
    None if at >= SIZE - len(FRAGMENTS) or 128 <= at < FIRST_WORD else octets.decode()  # noqa: PLR2004 - not ASCII
    for at, octets in enumerate(BYTES)
]
"""The text of the tokens that always are text by themselves."""


class TextStream:
    """Text of tokens that arrive one by one; what is held ends in an unfinished or broken character."""

    __slots__ = ("_held", "_skip_special")

    def __init__(self, prompt: Sequence[int], *, skip_special: bool = True) -> None:
        self._skip_special = skip_special
        self._held = b""
        if prompt and _TEXT_OF[prompt[-1]] is None:
            before = decode_bytes(prompt, skip_special=skip_special)
            if before.decode("utf-8", "replace").endswith(_UNKNOWN):
                self._held = before

    def feed(self, token: int) -> str:
        """Return the text that `token` completes, which may be none or more than its own."""
        text = _TEXT_OF[token]
        if text is not None and not self._held:
            return text
        if self._skip_special and FIRST_SPECIAL <= token < FIRST_WORD:
            return ""
        held = self._held + BYTES[token]
        text = held.decode("utf-8", "replace")
        if text.endswith(_UNKNOWN):
            self._held = held
            return ""
        self._held = b""
        return text


class StopWatch:
    """The text of one choice on its way out: finds stop strings, and holds back what may become one."""

    __slots__ = ("_hold", "_include", "_min_tokens", "_seen", "_sent", "_stops", "text")

    def __init__(self, stops: Sequence[str], *, include: bool = False, min_tokens: int = 0) -> None:
        self.text = ""
        self._stops = stops
        self._include = include
        self._min_tokens = min_tokens
        self._hold = max(map(len, stops), default=1) - 1 if not include else 0
        self._seen = 0
        self._sent = 0

    def feed(self, new: str) -> str | None:
        """Add the text of one token; return the stop string that it completes, after which `text` is final."""
        self.text += new
        self._seen += 1
        if not new or self._seen <= self._min_tokens:
            return None
        found = self._first_stop(len(new))
        if found is None:
            return None
        at, stop = found
        self.text = self.text[: at + len(stop) if self._include else at]
        return stop

    def take(self, *, is_last: bool) -> str:
        """Return the text that may be sent now and was not sent before."""
        end = len(self.text) if is_last else max(self._sent, len(self.text) - self._hold)
        ready = self.text[self._sent : end]
        self._sent = max(self._sent, end)
        return ready

    def _first_stop(self, new: int) -> tuple[int, str] | None:
        """Return where the stop string begins that ends first, among those that end in the `new` last characters."""
        best: tuple[int, str] | None = None
        for stop in self._stops:
            at = self.text.find(stop, max(0, len(self.text) - new - len(stop) + 1))
            if at >= 0 and (best is None or at + len(stop) < best[0] + len(best[1])):
                best = at, stop
        return best
