"""What a caller was told: the text, how it ended, and all that is odd about it; pure."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from vllm_gateway import codec
from vllm_gateway.chaos.caller import Heard


class Counted(NamedTuple):
    """Tokens, as an answer tells them."""

    prompt: int
    completion: int


@dataclass(slots=True)
class Answer:
    """An answer that was understood as far as it can be."""

    status: int | None
    seconds: float
    is_whole: bool
    is_hung: bool
    body: bytes = b""
    text: str = ""
    finishes: list[str] = field(default_factory=list)
    usages: list[Counted] = field(default_factory=list)
    roles: int = 0
    dones: int = 0
    errors: list[str] = field(default_factory=list)
    """Messages of error events."""
    garbage: int = 0
    """Events that cannot be read."""
    late: int = 0
    """Events after `[DONE]`."""
    names: set[tuple[object, object, object]] = field(default_factory=set)
    """`id`, `model` and `created`, which are the same in every event."""
    tells_token_ids: bool = False


def read(heard: Heard, *, is_stream: bool) -> Answer:
    """Return what was heard as an answer."""
    answer = Answer(
        heard.status, heard.ended_at - heard.asked_at, heard.is_whole, heard.is_hung, body=bytes(heard.body)
    )
    if heard.status != 200:  # noqa: PLR2004 - OK
        return answer
    if is_stream:
        _read_stream(answer)
    else:
        value = _json(answer.body)
        if value is None:
            answer.garbage += 1
        else:
            _take(answer, value)
    return answer


def message_of(body: bytes) -> str | None:
    """Return the message of an error; None when it is no error as OpenAI writes them."""
    value = _json(body)
    error = value.get("error") if value is not None else None
    message = error.get("message") if isinstance(error, dict) else None
    return message if isinstance(message, str) else None


def _read_stream(answer: Answer) -> None:
    *events, rest = answer.body.replace(b"\r\n", b"\n").split(b"\n\n")
    for event in events:
        data = b"\n".join(line[5:].strip() for line in event.split(b"\n") if line.startswith(b"data:"))
        if not data:
            continue
        if answer.dones:
            answer.late += 1
        if data == b"[DONE]":
            answer.dones += 1
        elif (value := _json(data)) is None:
            answer.garbage += 1
        else:
            _take(answer, value)
    if rest.strip():
        answer.garbage += 1


def _take(answer: Answer, value: dict[str, Any]) -> None:
    """Add one event, or the whole of an answer in one piece, to what is known."""
    error = value.get("error")
    if error:
        message = error.get("message") if isinstance(error, dict) else error
        answer.errors.append(str(message))
        return
    answer.names.add((value.get("id"), value.get("model"), value.get("created")))
    usage = value.get("usage")
    if isinstance(usage, dict):
        answer.usages.append(Counted(usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0))
    answer.tells_token_ids |= value.get("prompt_token_ids") is not None
    for choice in value.get("choices") or ():
        said = choice.get("delta") or choice.get("message") or choice
        answer.text += said.get("content") or said.get("text") or ""
        answer.roles += said.get("role") is not None
        answer.tells_token_ids |= (choice.get("token_ids") or choice.get("prompt_token_ids")) is not None
        if choice.get("finish_reason") is not None:
            answer.finishes.append(choice["finish_reason"])


def _json(data: bytes) -> dict[str, Any] | None:
    try:
        value = codec.loads(data)
    except codec.MalformedJson:
        return None
    return value if isinstance(value, dict) else None
