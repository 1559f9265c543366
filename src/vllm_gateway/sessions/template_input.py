"""What vLLM hands to a chat template: messages and tools in its own form, and the variables around them.

Follows vLLM 0.32. Only plain conversations can be told without the model: text, tools, and what tools said.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from vllm_gateway import codec

Fields = dict[str, Any]

_ROLES = ("system", "user", "assistant", "tool")  # no sets: what was sent may be a list
_TEXTS = ("text", "input_text", "output_text")
_FOREIGN = ("chat_template", "continue_final_message")

_TAIL = r"\s*(?:\[[^\]]*:[^\]]*\]\s*)*(?:\|[^%]*|\bif\b[^%]*)?-?%\}"
"""What may follow a name that still means the same things: slices, filters, a condition; then the tag ends."""
_CONTENT = r"(?:\.content\b|\[\s*['\"]content['\"]\s*\])"
_SET = re.compile(r"\{%-?\s*set\s+(\w+)\s*=\s*(\w+)" + _TAIL)
_FOR = re.compile(r"\{%-?\s*for\s+(\w+)\s+in\s+(\w+)" + _TAIL)
_FOR_CONTENT = re.compile(r"\{%-?\s*for\s+\w+\s+in\s+(\w+)" + _CONTENT + _TAIL)
_MACRO = re.compile(r"\{%-?\s*macro\s+(\w+)\s*\(([^)]*)\)(.*?)\{%-?\s*endmacro\b", re.DOTALL)


def is_plain(body: Mapping[str, Any]) -> bool:
    """Say whether the prompt of a chat completion's body can be told without the model."""
    return (
        not any(body.get(name) for name in _FOREIGN)
        and isinstance(body.get("chat_template_kwargs") or {}, dict)
        and all(_is_plain(message) for message in body["messages"])
        and _name_functions(body.get("tools"))
    )


def variables(body: Mapping[str, Any], *, takes_parts: bool) -> Fields:
    """Return what a template gets to know of a plain body."""
    asked = dict(body.get("chat_template_kwargs") or {})
    effort = body.get("reasoning_effort")
    if effort is not None:
        asked = {"enable_thinking": effort != "none", **asked, "reasoning_effort": effort}
    documents, tools, begins = body.get("documents"), body.get("tools"), body.get("add_generation_prompt")
    return {
        **asked,
        "documents": asked.get("documents") if documents is None else documents,
        "tools": None if tools is None else [_tool(tool) for tool in tools],
        "add_generation_prompt": True if begins is None else begins,
        "messages": [_message(fields, takes_parts=takes_parts) for fields in body["messages"]],
    }


def takes_parts(template: str) -> bool:
    """Say whether a template looks into the parts of a message: then it always gets parts, and otherwise text."""
    lists = {"messages"}
    before = 0
    while before != len(lists):
        before = len(lists)
        lists |= {name for name, value in _SET.findall(template) if value in lists}
    each = {name for name, value in _FOR.findall(template) if value in lists}
    if any(name in each for name in _FOR_CONTENT.findall(template)):
        return True
    outside = _MACRO.sub("", template)
    if any(value == "content" for _, value in _FOR.findall(outside)):
        return True
    return any(_loops_over_content(macro, template, each) for macro in _MACRO.finditer(template))


def _loops_over_content(macro: re.Match[str], template: str, each: set[str]) -> bool:
    """Say whether a macro loops over what it is given of a message."""
    name, arguments, inside = macro.groups()
    parameters = [argument.split("=")[0].strip() for argument in arguments.split(",")]
    given = set(_given_content(name, parameters, template, each))
    return any(value in given for _, value in _FOR.findall(inside))


def _given_content(macro: str, parameters: list[str], template: str, each: set[str]) -> Iterator[str]:
    """Return the parameters of a macro that some call of it gives the content of a message."""
    content = re.compile(rf"(?:(\w+)\s*=\s*)?(?:{'|'.join(each) or '(?!)'}){_CONTENT}\s*(?:\|.*)?")
    for call in re.findall(rf"(?<!macro )\b{macro}\(([^()]*)\)", template):
        for parameter, argument in zip(parameters, call.split(","), strict=False):
            if found := content.fullmatch(argument.strip()):
                yield found[1] or parameter


def _is_plain(message: Fields) -> bool:
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    return (
        message.get("role") in _ROLES
        and (content is None or isinstance(content, str | list))
        and "reasoning_content" not in message
        and all(_is_text(part) for part in parts)
        and _name_functions(message.get("tool_calls"))
    )


def _name_functions(things: object) -> bool:
    """Say whether these are tools, or calls of tools, each with its function; none at all will do."""
    if things is None:
        return True
    return isinstance(things, list) and all(
        isinstance(each, dict) and isinstance(each.get("function"), dict) for each in things
    )


def _is_text(part: object) -> bool:
    return (
        isinstance(part, dict)
        and part.keys() == {"type", "text"}
        and part["type"] in _TEXTS
        and isinstance(part["text"], str)
    )


def _message(fields: Fields, *, takes_parts: bool) -> Fields:
    role = fields["role"]
    message: Fields = {"role": role, "content": _content(fields.get("content"), role, takes_parts=takes_parts)}
    if role == "assistant" and fields.get("tool_calls"):
        message["tool_calls"] = [_call(call) for call in fields["tool_calls"]]
    if role == "assistant" and (reasoning := fields.get("reasoning")) is not None:
        message["reasoning"] = message["reasoning_content"] = reasoning
    if role == "tool" and "tool_call_id" in fields:
        message["tool_call_id"] = fields["tool_call_id"]
    if isinstance(name := fields.get("name"), str):
        message["name"] = name
    return message


def _content(content: str | list[Fields] | None, role: str, *, takes_parts: bool) -> str | list[Fields]:
    parts = content if isinstance(content, list) else [] if content is None else [{"text": content}]
    texts = [part["text"] for part in parts]
    if not takes_parts:
        return "\n".join(filter(None, texts))
    if role == "tool":
        return "\n".join(texts)
    return [{"type": "text", "text": text} for text in texts]


def _call(call: Fields) -> Fields:
    """Return a tool call with its arguments as an object, in vLLM's order; what is no object becomes an empty one."""
    function = call["function"]
    arguments = function.get("arguments")
    if isinstance(arguments, str):
        try:
            arguments = codec.loads(arguments)
        except codec.MalformedJson:
            arguments = None
    known = {"arguments": arguments if isinstance(arguments, dict) else {}, "name": function.get("name")}
    ordered = {"id": call.get("id"), "function": known | {name: function[name] for name in function.keys() - known}}
    return {**ordered, **call, "function": ordered["function"]}


def _tool(tool: Fields) -> Fields:
    """Return a tool with the fields that vLLM knows, in its order."""
    function = tool["function"]
    known = {name: function.get(name) for name in ("name", "description", "parameters")}
    optional = {name: function[name] for name in ("strict", "defer_loading") if function.get(name) is not None}
    return {"type": tool.get("type", "function"), "function": {**known, **optional}}
