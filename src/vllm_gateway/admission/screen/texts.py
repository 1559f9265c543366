"""All texts that a JSON value says, wherever they stand in it; what is no text is left out by name."""

from collections.abc import Iterator
from typing import Any

from vllm_gateway import codec

_MEDIA = frozenset({"url", "image_url", "audio_url", "video_url", "data", "file_data"})
"""Where pictures, sounds and videos stand, in base64."""
_SHORTEST_MEDIA = 256
"""Shorter texts without a blank are words."""
_PARTED = frozenset({"content", "system", "output"})
"""What one speaker says may come in parts here."""
_FREE = frozenset({"parameters", "input_schema", "schema", "json", "input", "arguments", "chat_template_kwargs"})
"""Objects whose names the caller chooses, down to the last; a model may see them."""
_SCHEMA = (
    {"type", "title", "description", "properties", "required", "additionalProperties", "items", "enum", "format"}
    | {"const", "default", "examples", "pattern", "minimum", "maximum", "anyOf", "allOf", "oneOf"}
    | {"$defs", "$ref"}
)
"""Names that a JSON schema gives."""
_ROLES = {"system", "developer", "user", "assistant", "tool", "function"}
_TYPES = (
    {"string", "number", "integer", "boolean", "object", "array", "null", "message", "text", "input_text", "refusal"}
    | {"output_text", "summary_text", "reasoning", "reasoning_text", "thinking", "image", "image_url", "input_image"}
    | {"audio_url", "input_audio", "video_url", "file", "input_file", "document", "custom", "function", "function_call"}
    | {"function_call_output", "tool_use", "tool_result", "json_object", "json_schema", "ephemeral", "enabled"}
)


def texts(fields: dict[str, Any]) -> Iterator[str]:
    """Give every text of an object, also those that only exist when its parts are put together."""
    waiting: list[tuple[str, Any, bool]] = [("", fields, False)]
    while waiting:
        name, value, is_free = waiting.pop()
        if isinstance(value, str):
            if not _is_silent(name, value):
                yield value
                if name == "arguments" and "\\" in value:
                    waiting.append(("input", _unescaped(value), True))
        elif isinstance(value, dict):
            is_free = is_free or name in _FREE
            if is_free:
                yield from (each for each in value if each not in _SCHEMA)
            waiting += [(each, inner, is_free) for each, inner in value.items()]
        elif isinstance(value, list):
            if name in _PARTED:
                yield from _joined(value)
            waiting += [("", inner, is_free) for inner in value]


def _joined(parts: list[Any]) -> Iterator[str]:
    """Give the parts as a template may join them: a word could be divided among them."""
    said = [part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str)]
    if len(said) > 1:
        yield "".join(said)
        yield "\n".join(said)


def _is_silent(name: str, text: str) -> bool:
    """Say whether a text is a word of the protocol, or base64."""
    if name == "role":
        return text in _ROLES
    if name == "type":
        return text in _TYPES
    is_base64 = name in _MEDIA and text.isascii() and " " not in text
    return is_base64 and (text.startswith("data:") or len(text) > _SHORTEST_MEDIA)


def _unescaped(arguments: str) -> object:
    """Return the arguments of a call as a model sees them; nothing when they are not JSON."""
    try:
        value: object = codec.loads(arguments)
    except codec.MalformedJson:
        return None
    return value
