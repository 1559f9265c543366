"""Chat completions, taken apart where the gateway itself has to know what was answered."""

from typing import Any

from vllm_gateway import codec
from vllm_gateway.dialects.sse import payloads
from vllm_gateway.errors import ReplicaFailed

Completion = dict[str, Any]


def read_completion(body: bytes) -> Completion:
    """Return a chat completion in one piece; it has at least one choice, with a message and a proper end.

    Raises:
        ReplicaFailed: it is none, or the replica gave up half way.
    """
    value = _json(body)
    choices = value.get("choices") if isinstance(value, dict) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict) or not isinstance(choice.get("message"), dict):
        raise _no_answer()
    if choice.get("finish_reason") in {"abort", "error"}:
        raise ReplicaFailed("The model server failed while it was answering.")
    return value  # type: ignore[no-any-return] # it was just found to be an object


def completion_of_stream(events: bytes) -> Completion:
    """Return the chat completion that a whole stream of chunks amounts to: one choice, its message and its end.

    Raises:
        ReplicaFailed: an event of it is no chunk.
    """
    content: list[str] = []
    calls: dict[int, dict[str, Any]] = {}
    completion: Completion = {"object": "chat.completion"}
    finish_reason = None
    try:
        for payload in payloads(events):
            chunk = codec.loads(payload)
            completion |= {name: chunk[name] for name in ("id", "created", "model", "usage") if chunk.get(name)}
            for choice in chunk.get("choices") or ():
                delta = choice.get("delta") or {}
                content.append(delta.get("content") or "")
                for call in delta.get("tool_calls") or ():
                    _add_call(calls, call)
                finish_reason = choice.get("finish_reason") or finish_reason
        message: dict[str, Any] = {"role": "assistant", "content": "".join(content)}
    except (AttributeError, TypeError, ValueError):
        raise _no_answer() from None
    if calls:
        message["tool_calls"] = [calls[index] for index in sorted(calls)]
    return {**completion, "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}]}


def remembered(completion: Completion) -> dict[str, Any]:
    """Return the message of a completion as later turns send it: what was said and which tools were called.

    Its reasoning is left out: models are trained on conversations without that of earlier turns.
    """
    message = completion["choices"][0]["message"]
    kept: dict[str, Any] = {"role": "assistant", "content": message.get("content") or ""}
    if calls := message.get("tool_calls"):
        kept["tool_calls"] = calls
    return kept


def _json(body: bytes) -> Any:  # noqa: ANN401 - JSON is any of its types
    try:
        return codec.loads(body)
    except codec.MalformedJson:
        raise _no_answer() from None


def _no_answer() -> ReplicaFailed:
    return ReplicaFailed("The model server sent an answer that makes no sense.")


def _add_call(calls: dict[int, dict[str, Any]], delta: dict[str, Any]) -> None:
    """Add a piece of a tool call to the one that it belongs to; arguments come bit by bit."""
    call = calls.setdefault(
        delta.get("index", 0), {"id": None, "type": "function", "function": {"name": "", "arguments": ""}}
    )
    call["id"] = delta.get("id") or call["id"]
    function = delta.get("function") or {}
    call["function"]["name"] += function.get("name") or ""
    call["function"]["arguments"] += function.get("arguments") or ""
