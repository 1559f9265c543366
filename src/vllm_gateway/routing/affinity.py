"""Which replica answered a conversation last: its prefix cache knows the prompt's beginning."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

MAX_CONVERSATIONS = 65_536
_MAX_NAME_CHARACTERS = 256

SESSION_HEADERS = {
    b"x-session-id": 0,
    b"x-claude-code-session-id": 1,
    b"session-id": 2,
    b"thread-id": 3,
    b"x-openwebui-chat-id": 4,
}
"""Headers by which clients name a conversation, the most telling one first: Claude Code, Codex, Open WebUI."""


class Affinity:
    """Remembers the last replica of the conversations that were seen last."""

    def __init__(self, *, most: int = MAX_CONVERSATIONS) -> None:
        self._most = most
        self._replicas: OrderedDict[tuple[str, str], str] = OrderedDict()

    def find(self, caller: str, conversation: str) -> str | None:
        """Return the replica that answered last, or None."""
        return self._replicas.get((caller, conversation))

    def remember(self, caller: str, conversation: str, replica: str) -> None:
        """Note who answered; the conversation that was not heard of for the longest time may be forgotten."""
        self._replicas[caller, conversation] = replica
        self._replicas.move_to_end((caller, conversation))
        if len(self._replicas) > self._most:
            self._replicas.popitem(last=False)


def conversation_of(headers: Iterable[tuple[bytes, bytes]], fields: Mapping[str, Any]) -> str | None:
    """Return the caller's own name of a conversation; None when it gives none.

    A header counts before the body's `prompt_cache_key`, and that before Anthropic's `metadata.user_id`, in which
    Claude Code writes its session.
    """
    found: tuple[int, bytes] | None = None
    for header, value in headers:
        if header in SESSION_HEADERS and value and (found is None or SESSION_HEADERS[header] < found[0]):
            found = (SESSION_HEADERS[header], value)
    if found is not None:
        return found[1][:_MAX_NAME_CHARACTERS].decode("latin-1")
    name = fields.get("prompt_cache_key")
    if name is None and isinstance(metadata := fields.get("metadata"), dict):
        name = metadata.get("user_id")
    return name[:_MAX_NAME_CHARACTERS] if isinstance(name, str) and name else None
