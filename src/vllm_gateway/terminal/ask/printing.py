"""What is seen of an answer: its text as it comes, or one JSON object at its end."""

from typing import Any, Protocol

from vllm_gateway import codec
from vllm_gateway.terminal.api.reply import Reply
from vllm_gateway.terminal.cleaning import clean


class Paper(Protocol):
    """Where an answer is written, as `sys.stdout` is."""

    def write(self, text: str, /) -> int:
        """Write text."""
        ...

    def flush(self) -> None:
        """Let it be seen."""
        ...

    def isatty(self) -> bool:
        """Say whether it is a terminal."""
        ...


class Printer:
    """Writes pieces of an answer as they come, and at the end what makes it a whole line."""

    def __init__(self, paper: Paper) -> None:
        self._paper = paper
        self._last = "\n"

    def add(self, text: str) -> None:
        """Write a piece, to be seen at once; on a terminal without what could steer it."""
        if text:
            text = clean(text) if self._paper.isatty() else text
            self._last = text[-1]
            self._paper.write(text)
            self._paper.flush()

    def end(self) -> None:
        """End the last line, so that a prompt does not stand behind it."""
        if self._last != "\n":
            self.add("\n")


def as_json(reply: Reply, session: str | None) -> str:
    """Return all that is known of an answer as a line of JSON."""
    speed, ttft_s = reply.tokens_per_s, reply.ttft_s
    told: dict[str, Any] = {
        "content": reply.text,
        "thinking": reply.thinking or None,
        "finish_reason": reply.finish_reason,
        "model": reply.model,
        "session": session,
        "usage": dict(reply.usage) or None,
        "ttft_ms": None if ttft_s is None else round(ttft_s * 1000, 1),
        "took_ms": round(reply.took_s * 1000, 1),
        "tokens_per_s": None if speed is None else round(speed, 1),
    }
    return codec.dumps(told).decode() + "\n"
