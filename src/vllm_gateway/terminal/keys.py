"""Which key does what. Every action has an id, by which `[keys]` in `terminal.toml` gives it other keys."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

UNSAFE = {"ctrl+i": "Tab", "ctrl+m": "Enter", "ctrl+h": "Backspace", "ctrl+[": "Esc"}
"""Terminals send the same for both; bound to anything, the other key would do it, too."""


@dataclass(frozen=True, slots=True)
class Key:
    """An action, its keys, and what people are told of it."""

    id: str
    """`chat.send`: where it counts, and what it does."""
    keys: str
    """With commas between them."""
    says: str
    """Short enough for the foot of the screen."""
    is_shown: bool = False
    """Whether the foot of the screen names it."""
    group: str = ""
    """Under which heading the help lists it."""

    @property
    def action(self) -> str:
        """What Textual calls."""
        return self.id.partition(".")[2].replace("-", "_")


CHAT = (
    Key("chat.send", "enter", "Send", is_shown=True, group="Writing"),
    Key("chat.newline", "shift+enter,ctrl+j", "New line", group="Writing"),
    Key("chat.editor", "ctrl+g", "Write in $EDITOR", group="Writing"),
    Key("chat.earlier-prompt", "ctrl+up", "Earlier prompt", group="Writing"),
    Key("chat.later-prompt", "ctrl+down", "Later prompt", group="Writing"),
    Key("chat.cancel", "escape", "Stop the answer", group="Answers"),
    Key("chat.regenerate", "ctrl+r", "Answer again", group="Answers"),
    Key("chat.thinking", "ctrl+t", "Show or fold thoughts", group="Answers"),
    Key("chat.find", "ctrl+f", "Find in this chat", group="Answers"),
    Key("chat.new", "ctrl+n", "New chat", is_shown=True, group="Chats"),
    Key("chat.sessions", "ctrl+s", "Chats", is_shown=True, group="Chats"),
    Key("chat.export", "ctrl+e", "Export this chat", group="Chats"),
    Key("chat.models", "ctrl+k", "Model", is_shown=True, group="Settings"),
    Key("chat.system", "ctrl+y", "System prompt", group="Settings"),
    Key("chat.parameters", "ctrl+o", "Parameters", group="Settings"),
    Key("chat.clear", "ctrl+l", "Clear the screen", group="Chats"),
    Key("chat.help", "f1", "Help", is_shown=True, group="Other"),
    Key("chat.palette", "ctrl+p", "Commands", is_shown=True, group="Other"),
    Key("chat.quit", "ctrl+q", "Quit", is_shown=True, group="Other"),
    Key("block.up", "alt+up", "Message before", group="Messages"),
    Key("block.down", "alt+down", "Message after", group="Messages"),
    Key("block.first", "alt+home", "First message", group="Messages"),
    Key("block.last", "alt+end", "Last message", group="Messages"),
    Key("block.copy", "y", "Copy the message", group="On a message"),
    Key("block.copy-code", "Y", "Copy its code, fence by fence", group="On a message"),
    Key("block.edit", "e", "Edit and ask again", group="On a message"),
    Key("block.branch", "b", "Branch off here", group="On a message"),
    Key("block.fold", "space", "Unfold its thoughts", group="On a message"),
    Key("list.rename", "f2", "Rename", group="In the list of chats"),
    Key("list.delete", "ctrl+d", "Delete", group="In the list of chats"),
    Key("list.export", "f4", "Export", group="In the list of chats"),
    Key("view.page-up", "pageup", "A page up", group="Messages"),
    Key("view.page-down", "pagedown", "A page down", group="Messages"),
)


def read_keys(table: Mapping[str, object], known: tuple[Key, ...] = CHAT) -> dict[str, str]:
    """Return the keys that a table gives to actions.

    Ids of other programs in the terminal are theirs to judge.

    Raises:
        ValueError: an action or a key cannot be, in one sentence.
    """
    rooms = {key.id.partition(".")[0] for key in known}
    ids = [key.id for key in known]
    given: dict[str, str] = {}
    for name, keys in _flat(table).items():
        if name.partition(".")[0] in rooms and name not in ids:
            near = difflib.get_close_matches(name, ids, n=1, cutoff=0.4)
            raise ValueError(
                f"keys.{name} does nothing; {f'did you mean {near[0]}?' if near else 'see the help on F1.'}"
            )
        if not isinstance(keys, str) or not keys.strip():
            raise ValueError(f"keys.{name} must name a key, as in 'ctrl+x', or several with commas between them.")
        parts = [part.strip() for part in keys.split(",")]
        for part in parts:
            if part in UNSAFE:
                raise ValueError(f"keys.{name} cannot be {part}: terminals send the same for {UNSAFE[part]}.")
        given[name] = ",".join(parts)
    return given


def _flat(table: Mapping[str, object]) -> dict[str, object]:
    """Return `{"chat.send": ...}` for `send = ...` in `[keys.chat]`, and for `"chat.send" = ...` in `[keys]`."""
    flat: dict[str, object] = {}
    for name, value in table.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{inner}": keys for inner, keys in value.items()}
        else:
            flat[name] = value
    return flat
