"""Starts the chat: something is seen at once, and everything else follows."""

import sys
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING

from vllm_gateway.terminal.chat.skeleton import skeleton
from vllm_gateway.terminal.first_frame import first_frame
from vllm_gateway.terminal.plain import make_plain
from vllm_gateway.terminal.settings import Profile, TerminalSettings

if TYPE_CHECKING:
    from vllm_gateway.terminal.chat.app import ChatApp

INSTALL = "pip install 'vllm-gateway[tui]'"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the chat begins with."""

    settings: TerminalSettings
    profile: Profile = field(default_factory=Profile)
    session: str | None = None
    """A conversation that goes on; `last` is the youngest."""


def run(wishes: Wishes) -> int:
    """Show the chat until it is left, and return the exit status."""
    if find_spec("textual") is None:
        sys.stderr.write(f"The chat needs Textual, which is not installed. Install it: {INSTALL}\n")
        return 1
    terminal = sys.__stderr__
    if not (sys.stdin.isatty() and terminal is not None and terminal.isatty()):
        sys.stderr.write("The chat needs a terminal. For scripts there is: vllm-gateway ask\n")
        return 1
    make_plain(terminal)
    with first_frame(terminal, sys.stdin, skeleton()):
        return _made(wishes).run() or 0


def _made(wishes: Wishes) -> "ChatApp":
    from vllm_gateway.terminal.api.client import Client  # noqa: PLC0415 - the first frame does not wait for it
    from vllm_gateway.terminal.chat.app import ChatApp  # noqa: PLC0415 - as above
    from vllm_gateway.terminal.chat.conversation import Conversation  # noqa: PLC0415 - as above
    from vllm_gateway.terminal.chat.drafts import Drafts  # noqa: PLC0415 - as above

    settings, profile = wishes.settings, wishes.profile
    chat = Conversation(wishes.session, None, profile.model, profile.system, profile.parameters)
    return ChatApp(Client(settings.target()), chat, Drafts(), settings)
