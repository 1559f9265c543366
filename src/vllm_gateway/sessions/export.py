"""A conversation as a page that people read."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from vllm_gateway import codec
from vllm_gateway.sessions.model import Message, Session

MOST_MESSAGES = 100_000
"""More than this is not exported at once."""
_NAMES = {"user": "User", "assistant": "Assistant", "system": "System", "tool": "Tool", "developer": "Developer"}


def markdown(session: Session, messages: Sequence[Message]) -> str:
    """Return a conversation as Markdown: a heading, what it is about, and a section for each message."""
    began = datetime.fromtimestamp(session.created, UTC).strftime("%Y-%m-%d %H:%M UTC")
    lines = [f"# {_one_line(session.title) if session.title else 'Conversation'}", ""]
    lines += [f"- begun: {began}", f"- model: {session.model or 'default'}", f"- turns: {session.turns}", ""]
    if session.system_prompt:
        lines += ["## System", "", session.system_prompt, ""]
    for message in messages:
        role = str(message.fields.get("role"))
        lines += [f"## {_NAMES.get(role, role)}", "", text_of(message.fields), ""]
    return "\n".join(lines).rstrip() + "\n"


def text_of(fields: dict[str, Any]) -> str:
    """Return what a message says: its text, and the tools that it calls."""
    content = fields.get("content")
    parts = content if isinstance(content, list) else [{"text": content or ""}]
    texts = [str(part.get("text") or f"[{part.get('type', 'part')}]") for part in parts if isinstance(part, dict)]
    if content is None or content == "":
        texts = []
    for call in fields.get("tool_calls") or ():
        function = call.get("function") or {}
        texts.append(f"```json\n{codec.dumps({function.get('name', 'tool'): function.get('arguments')}).decode()}\n```")
    return "\n\n".join(texts)


def _one_line(text: str) -> str:
    return " ".join(text.split())
