"""A conversation as a page that people read."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from vllm_gateway import codec
from vllm_gateway.sessions.model import Message, Session

_NAMES = {"user": "User", "assistant": "Assistant", "system": "System", "tool": "Tool", "developer": "Developer"}
_HEADING = re.compile(r"^(\s*)(#|=+\s*$|-+\s*$)")
"""What makes a line a heading, or the line before it."""
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})(.*)$")


def markdown(session: Session, messages: Sequence[Message]) -> str:
    """Return a conversation as Markdown: a heading, what it is about, and a section for each message."""
    return heading(session) + "".join(map(section, messages))


def heading(session: Session) -> str:
    """Return what stands before the messages."""
    began = datetime.fromtimestamp(session.created, UTC).strftime("%Y-%m-%d %H:%M UTC")
    lines = [f"# {_one_line(session.title) if session.title else 'Conversation'}", ""]
    lines += [f"- begun: {began}", f"- model: {_one_line(session.model or 'default')}", f"- turns: {session.turns}", ""]
    if session.system_prompt:
        lines += ["## System", "", _without_headings(session.system_prompt), ""]
    return "\n".join(lines).rstrip() + "\n"


def section(message: Message) -> str:
    """Return a message under a heading that nothing in it can imitate."""
    role = _one_line(str(message.fields.get("role")))
    return f"\n## {_NAMES.get(role, role)}\n\n{_without_headings(text_of(message.fields))}".rstrip() + "\n"


def text_of(fields: dict[str, Any]) -> str:
    """Return what a message says: its text, and the tools that it calls."""
    content = fields.get("content")
    parts = content if isinstance(content, list) else [{"text": content or ""}]
    texts = [str(part.get("text") or f"[{part.get('type', 'part')}]") for part in parts if isinstance(part, dict)]
    if content is None or content == "":
        texts = []
    calls = fields.get("tool_calls")
    texts += [_call(call) for call in (calls if isinstance(calls, list) else ())]
    return "\n\n".join(texts)


def _call(call: object) -> str:
    """Return a call of a tool as JSON; one that is none as it is."""
    function = call.get("function") if isinstance(call, dict) else None
    shown = {str(function.get("name", "tool")): function.get("arguments")} if isinstance(function, dict) else call
    return f"```json\n{codec.dumps(shown).decode()}\n```"


def _without_headings(text: str) -> str:
    """Take from lines outside of code blocks what would make them headings, and close a block that is left open."""
    lines, fence = [], ""
    for line in text.splitlines():
        found = _FENCE.match(line)
        if found is None:
            lines.append(line if fence else _HEADING.sub(r"\1\\\2", line))
            continue
        mark, rest = found.groups()
        if not fence:
            fence = mark if mark[0] == "~" or "`" not in rest else ""
        elif mark.startswith(fence) and not rest.strip():
            fence = ""
        lines.append(line)
    return "\n".join([*lines, fence] if fence else lines)


def _one_line(text: str) -> str:
    return " ".join(text.split())
