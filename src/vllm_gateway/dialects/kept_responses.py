"""Responses that are kept: what a body wishes, how a conversation goes on from one, and where an answer tells of it.

https://platform.openai.com/docs/api-reference/responses. Replicas keep nothing: a request that goes on from an earlier
response reaches one as a request of its own, with all that was said before as its input.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from vllm_gateway import codec
from vllm_gateway.dialects.sse import payloads
from vllm_gateway.errors import FieldInvalid
from vllm_gateway.exchange import Keeping

Item = dict[str, Any]

_ABSENT = {
    "conversation": "Conversation objects are not kept here; use 'previous_response_id', or a session (/v1/sessions).",
    "prompt": "Prompt templates are not kept here; send 'instructions' and 'input'.",
}
"""Fields that stand for something the gateway does not keep; vLLM takes the first in silence and answers without it."""

_CALLS = {
    "function_call": ("type", "id", "call_id", "name", "namespace", "arguments"),
    "custom_tool_call": ("type", "id", "call_id", "name", "input"),
}
"""Calls of the caller's tools, and what a replica is told of them."""

_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_PREVIOUS = b'"previous_response_id"'
_TOKEN = re.compile(_PREVIOUS + rb"\s*+:\s*+(?P<value>null|" + _STRING + rb")|" + _STRING + rb"|[\[\]{}]", re.DOTALL)
"""What has to be seen of a JSON text to know at which depth a member stands; only whole strings match, so that none of
them is looked into."""
_TELLS_RESPONSE = re.compile(
    rb"^event: ?response\.(?:created|in_progress|completed|incomplete)\r?\ndata:[^\r\n]*", re.MULTILINE
)
_ENDING = re.compile(rb"^event: ?response\.(?:completed|incomplete)\r?$", re.MULTILINE)
_ENDS = {"response.completed", "response.incomplete"}


def read_wish(fields: Mapping[str, Any]) -> Keeping:
    """Return what the body of a responses request wants of what is kept.

    Raises:
        FieldInvalid: a field is wrong, or asks for something that neither the gateway nor vLLM has.
    """
    for name, why in _ABSENT.items():
        if fields.get(name) is not None:
            raise FieldInvalid(f"'{name}' is not supported. {why}", param=name)
    _check_background(fields.get("background"))
    store = fields.get("store")
    if store is not None and not isinstance(store, bool):
        raise FieldInvalid("'store' must be true or false.", param="store")
    previous = fields.get("previous_response_id")
    if previous is not None and (not isinstance(previous, str) or not previous):
        raise FieldInvalid("'previous_response_id' must be the id of a response.", param="previous_response_id")
    if previous is not None and fields.get("previous_input_messages") is not None:
        raise FieldInvalid(
            "'previous_input_messages' and 'previous_response_id' exclude each other; send one of them.",
            param="previous_response_id",
        )
    return Keeping(keeps=store is not False, previous=previous, items=_read_items(fields.get("input")))


def continued(earlier: Sequence[tuple[Sequence[Any], Mapping[str, Any]]], items: Sequence[Any]) -> list[Any]:
    """Return the whole input for a replica that knows nothing: what was said and answered before, then `items`.

    `earlier` are the items and the answer of each response before, the first one first. Its instructions are not among
    them: they hold for one response.
    """
    said: list[Any] = []
    for items_before, response in earlier:
        said += items_before
        said += _answered(response)
    return [*said, *items]


def outgoing(fields: Mapping[str, Any], items: list[Any] | None) -> dict[str, Any]:
    """Return the members of a body that have to change before a replica gets it; `items` are a new input.

    A replica that was told to keep responses would keep them for ever, in its memory.
    """
    changes: dict[str, Any] = {}
    if fields.get("store") is not False:
        changes["store"] = False
    if fields.get("previous_response_id") is not None:
        changes["previous_response_id"] = None
    if items is not None:
        changes["input"] = items
    return changes


def with_previous(data: bytes, previous_id: str) -> bytes:
    """Tell in a reply, or in whole events of a stream, which response this one goes on from; nothing else changes."""
    if _PREVIOUS not in data:
        return data
    written = codec.dumps(previous_id)
    if data.lstrip().startswith(b"{"):
        return _told(data, written, depth=1)
    return _TELLS_RESPONSE.sub(lambda event: _told(event[0], written, depth=2), data)


def ending(events: bytes) -> int:
    """Say where in whole events the last one begins; -1 when it is not among them."""
    found = _ENDING.search(events)
    return found.start() if found else -1


def final(body: bytes, *, is_stream: bool) -> dict[str, Any] | None:
    """Return the response object of a whole answer; None when there is none with an id."""
    try:
        response = _last_of_stream(body) if is_stream else codec.loads(body)
    except codec.MalformedJson:
        return None
    return response if isinstance(response, dict) and isinstance(response.get("id"), str) else None


def listed(items: Sequence[Any], response_id: str) -> list[Item]:
    """Return items as OpenAI lists them: every one with a type and an id that no other has, every message in parts."""
    suffix = response_id.removeprefix("resp_")
    named: dict[str, Item] = {}
    for place, item in enumerate(items):
        if isinstance(item, dict):
            own = item.get("id")
            name = own if isinstance(own, str) and own and own not in named else f"item_{suffix}_{place}"
            while name in named:
                name += "_"
            named[name] = {**_in_parts(item), "id": name}
    return list(named.values())


def page(items: Sequence[Item], *, limit: int, after: str | None, descending: bool) -> tuple[list[Item], bool]:
    """Return some of the listed items, those behind the one called `after`, and whether there are more.

    Raises:
        FieldInvalid: none of them is called `after`.
    """
    ordered = list(reversed(items)) if descending else list(items)
    start = 0
    if after is not None:
        places = [place for place, item in enumerate(ordered) if item["id"] == after]
        if not places:
            raise FieldInvalid("'after' names no item of this response.", param="after")
        start = places[0] + 1
    return ordered[start : start + limit], start + limit < len(ordered)


def _check_background(background: object) -> None:
    if background is not None and not isinstance(background, bool):
        raise FieldInvalid("'background' must be true or false.", param="background")
    if background:
        raise FieldInvalid(
            "'background' is not supported: an answer is given while its caller waits. Use 'stream' for long ones.",
            param="background",
        )


def _read_items(value: object) -> list[Any]:
    if isinstance(value, str):
        return [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": value}]}]
    if not isinstance(value, list):
        raise FieldInvalid("'input' must be a text or a list of items.", param="input")
    for place, item in enumerate(value):
        if not isinstance(item, dict):
            raise FieldInvalid(f"'input[{place}]' must be an object.", param=f"input[{place}]")
        if item.get("type") == "item_reference" or ("id" in item and not {"type", "role"} & item.keys()):
            raise FieldInvalid(
                f"'input[{place}]' refers to another item, which is not supported; send the item itself, or go on from "
                "its response with 'previous_response_id'.",
                param=f"input[{place}]",
            )
    return value


def _answered(response: Mapping[str, Any]) -> Iterator[Item]:
    """Give the output of a response as input that vLLM takes.

    What is left out: calls of built-in tools, which vLLM refuses as input, and which only led to the message behind
    them; and thoughts that it could not read, or that led to nothing.
    """
    output = [item for item in response.get("output") or [] if isinstance(item, dict)]
    for item, following in pairwise([*output, {}]):
        kind = item.get("type")
        if kind == "message" and (text := _text_of(item.get("content"))):
            # vLLM reads only the first part of an assistant's message, and breaks on one without or with a refusal
            yield {"type": "message", "role": "assistant", "content": text}
        elif kind in _CALLS:
            yield {name: item[name] for name in _CALLS[kind] if item.get(name) is not None}
        elif kind == "reasoning" and following.get("type") in {"message", *_CALLS}:
            yield from _thought(item)


def _thought(item: Item) -> Iterator[Item]:
    """Give a reasoning item, if its text is there; vLLM refuses encrypted ones."""
    if text := _text_of(item.get("content")):
        content = [{"type": "reasoning_text", "text": text}]
        yield {"type": "reasoning", "id": str(item.get("id") or "rs_0"), "summary": [], "content": content}


def _text_of(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    return "".join(text for part in parts if isinstance(text := part.get("text", part.get("refusal")), str))


def _in_parts(item: Item) -> Item:
    if item.get("type", "message") != "message" or not isinstance(item.get("content"), str):
        return {"type": "message", **item}
    if item.get("role") == "assistant":
        content = [{"type": "output_text", "text": item["content"], "annotations": []}]
    else:
        content = [{"type": "input_text", "text": item["content"]}]
    return {"type": "message", **item, "content": content}


def _told(text: bytes, written: bytes, *, depth: int) -> bytes:
    """Put `written` into the first member called `previous_response_id` that stands `depth` levels deep."""
    level = 0
    for token in _TOKEN.finditer(text):
        if token[0] in {b"{", b"["}:
            level += 1
        elif token[0] in {b"}", b"]"}:
            level -= 1
        elif level == depth and token["value"] is not None:
            return text[: token.start("value")] + written + text[token.end("value") :]
    return text


def _last_of_stream(stream: bytes) -> object:
    at = ending(stream)
    for payload in payloads(stream[at:]) if at >= 0 else ():
        event = codec.loads(payload)
        if isinstance(event, dict) and event.get("type") in _ENDS:
            return event.get("response")
    return None
