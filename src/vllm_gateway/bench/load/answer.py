"""What an answer says, read while it comes in: into a `Record`."""

from collections.abc import Mapping
from typing import Any

from vllm_gateway import codec
from vllm_gateway.bench.load.record import Record

_OK = 200
_TEXTS = ("content", "reasoning", "reasoning_content")
"""Where a delta or a message has text."""
_OUTPUTS = (*_TEXTS, "tool_calls", "refusal")
_UNFINISHED = frozenset({"abort", "error"})
"""Reasons with which vLLM ends an answer that it could not finish."""
_MOST_ERROR_BYTES = 200


class Answer:
    """One answer; it is told its head, its bytes and its end, in this order."""

    def __init__(self, record: Record, *, is_stream: bool) -> None:
        self.record = record
        self.texts: list[str] = []
        """The parts of what the model says."""
        self._is_stream = is_stream
        self._is_done = False
        self._finish: str | None = None
        self._rest = b""

    def begin(self, status: int, at: float) -> None:
        """Take the head."""
        self.record.status = status
        self.record.first_byte_at = at
        self._is_stream = self._is_stream and status == _OK

    def feed(self, data: bytes, at: float) -> None:
        """Take a part of the body, and the time at which it was read."""
        if self._rest:
            data = self._rest + data
        if not self._is_stream:
            self._rest = data
            return
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n")
        *events, self._rest = data.split(b"\n\n")
        for event in events:
            self._take_event(event, at)

    def end(self, at: float) -> None:
        """Take the end of a body that is complete, and judge the answer."""
        record = self.record
        record.last_output_at = record.last_output_at if self._is_stream else at
        if record.status != _OK:
            self._fail(f"http_{record.status}", self._rest.decode(errors="replace"))
        elif not self._is_stream:
            self._take_whole()
        elif self._finish in _UNFINISHED:
            self._fail("aborted", f"The answer ends with the reason '{self._finish}'.")
        elif not self._is_done or self._finish is None:
            self._fail("truncated", "The stream ends without a finish reason and [DONE].")
        elif record.first_output_at is None:
            self._fail("empty", "The stream has no output.")

    def _fail(self, kind: str, text: str) -> None:
        """Note the first thing that went wrong."""
        if self.record.error is None:
            self.record.error = kind
            self.record.error_text = text[:_MOST_ERROR_BYTES]

    def _take_event(self, event: bytes, at: float) -> None:
        data = event[6:] if event.startswith(b"data: ") and b"\n" not in event else _data_of(event)
        if not data:
            return  # a comment
        self.record.events += 1
        if data == b"[DONE]":
            self._is_done = True
            return
        try:
            chunk = codec.loads(data)
        except codec.MalformedJson:
            chunk = None
        if not isinstance(chunk, dict):
            self._fail("malformed", data.decode(errors="replace"))
            return
        if "error" in chunk:
            self._fail("error_event", data.decode(errors="replace"))
        if chunk.get("usage") or chunk.get("metrics"):
            self._take_usage(chunk)
        if choices := chunk.get("choices"):
            self._take_choice(choices[0], at)

    def _take_choice(self, choice: Mapping[str, Any], at: float) -> None:
        record = self.record
        delta = choice.get("delta")
        said = choice if delta is None else delta
        self._finish = choice.get("finish_reason") or self._finish
        text = said.get("content") or said.get("text") or ""
        if not text and not _is_output(said, is_first=record.first_output_at is None):
            return
        if record.last_output_at is None:
            record.first_output_at = at
        else:
            record.gaps_s.append(at - record.last_output_at)
        record.last_output_at = at
        if isinstance(text, str):
            self.texts.append(text)

    def _take_whole(self) -> None:
        try:
            body = codec.loads(self._rest)
        except codec.MalformedJson:
            body = None
        if not isinstance(body, dict):
            self._fail("malformed", self._rest.decode(errors="replace"))
            return
        self._take_usage(body)
        for choice in (body.get("choices") or ())[:1]:
            self._finish = choice.get("finish_reason")
            said = choice.get("message") or choice
            self.texts.append(said.get("content") or said.get("text") or "")
        if self._finish in _UNFINISHED:
            self._fail("aborted", f"The answer ends with the reason '{self._finish}'.")
        elif not body.get("choices") and not body.get("data"):
            self._fail("empty", "The answer has neither choices nor data.")

    def _take_usage(self, told: Mapping[str, Any]) -> None:
        record = self.record
        if usage := told.get("usage"):
            record.input_tokens = usage.get("prompt_tokens")
            record.output_tokens = usage.get("completion_tokens", 0)
            record.cached_tokens = (usage.get("prompt_tokens_details") or {}).get("cached_tokens")
        queue_ms = (told.get("metrics") or {}).get("queue_time_ms")
        if queue_ms is not None:
            record.queue_s = queue_ms / 1000


def _data_of(event: bytes) -> bytes:
    lines = [line[5:].removeprefix(b" ") for line in event.split(b"\n") if line.startswith(b"data:")]
    return b"\n".join(lines)


def _is_output(said: Mapping[str, Any], *, is_first: bool) -> bool:
    """Say whether an event without text stands for a token all the same: one whose text is held back, or a tool call.

    The announcement of the role, which comes before the first token, does not.
    """
    if any(said.get(name) for name in _OUTPUTS):
        return True
    if is_first and "role" in said:
        return False
    return any(said.get(name) is not None for name in (*_TEXTS, "text"))
