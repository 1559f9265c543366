"""The pieces of text that one event of a stream holds, and to which longer text each of them belongs."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Strand = tuple[str, ...]
"""Names one growing text of an answer; the first of it is the choice."""

_ONLY = "0"
"""The choice of answers that have no more than one."""

_UNSAID = frozenset({"id", "index", "role", "type", "item_id", "call_id", "status", "object", "signature", "logprobs"})
"""Members that a model does not write."""


@dataclass(slots=True)
class Pieces:
    """What one event says."""

    strands: list[tuple[Strand, str]] = field(default_factory=list)
    """Texts that go on where the same strand ended before."""
    wholes: list[str] = field(default_factory=list)
    """Texts that nothing is added to."""
    ended: list[str] = field(default_factory=list)
    """Choices whose strands do not go on."""


def pieces_of(event: dict[str, Any]) -> Pieces:
    """Return what an event of a chat, completions, Responses or Messages stream says."""
    if isinstance(event.get("choices"), list):
        return _of_chunk(event["choices"])
    kind = str(event.get("type"))
    return _of_response_event(event, kind) if kind.startswith("response.") else _of_message_event(event, kind)


def _of_chunk(choices: list[Any]) -> Pieces:
    pieces = Pieces()
    for choice in choices:
        if not isinstance(choice, dict):
            continue
        index = str(choice.get("index", 0))
        said = {name: choice.get(name) for name in ("delta", "message", "text")}
        pieces.strands += _strands(said, (index,))
        if choice.get("finish_reason") is not None:
            pieces.ended.append(index)
    return pieces


def _of_response_event(event: dict[str, Any], kind: str) -> Pieces:
    delta = event.get("delta")
    if kind.endswith(".delta") and isinstance(delta, str):
        return Pieces(strands=[((_ONLY, kind, str(event.get("item_id")), str(event.get("content_index"))), delta)])
    response = event.get("response")
    said = {"output": response.get("output")} if isinstance(response, dict) else event
    wholes = [text for _, text in _strands(said, ())]
    return Pieces(wholes=wholes, ended=[_ONLY] if kind.endswith((".done", ".completed", ".incomplete")) else [])


def _of_message_event(event: dict[str, Any], kind: str) -> Pieces:
    if kind in {"content_block_stop", "message_delta", "message_stop"}:
        return Pieces(ended=[_ONLY])
    block = (_ONLY, str(event.get("index")))
    said = [event.get("content_block"), event.get("delta")]
    return Pieces(strands=[((*block, strand[-1]), text) for each in said for strand, text in _strands(each, block)])


def _strands(value: object, strand: Strand) -> Iterator[tuple[Strand, str]]:
    """Give every text below `value`, named by the way that leads to it."""
    waiting = [(value, strand)]
    while waiting:
        value, strand = waiting.pop()
        if isinstance(value, str):
            if value:
                yield strand, value
        elif isinstance(value, dict):
            waiting += [(inner, (*strand, name)) for name, inner in value.items() if name not in _UNSAID]
        elif isinstance(value, list):
            waiting += [(inner, (*strand, _place(inner, at))) for at, inner in enumerate(value)]


def _place(value: object, at: int) -> str:
    """Return the index that an element of a list names itself, as tool calls do; otherwise its place."""
    return str(value.get("index", at) if isinstance(value, dict) else at)
