"""A chat on a screen that nobody sees, before a real gateway."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from textual.pilot import Pilot

from tests.terminal.conftest import House
from tests.waiting import until
from vllm_gateway.terminal.api import Client
from vllm_gateway.terminal.chat.app import ChatApp
from vllm_gateway.terminal.chat.conversation import Conversation
from vllm_gateway.terminal.chat.drafts import Drafts
from vllm_gateway.terminal.chat.words.entry import State
from vllm_gateway.terminal.settings import TerminalSettings
from vllm_gateway.terminal.themes import Themes
from vllm_gateway.terminal.themes.places import Places

PATIENCE_S = 30.0
"""Much longer than anything takes on a machine that is busy with other things."""


@dataclass
class Seat:
    """Somebody who sits before a chat."""

    app: ChatApp
    pilot: Pilot[int]

    async def press(self, *keys: str) -> None:
        """Press keys."""
        await self.pilot.press(*keys)

    async def write(self, text: str) -> None:
        """Have a text on the line."""
        self.app.prompt.put(text)
        await self.pilot.pause()

    async def say(self, text: str) -> None:
        """Say something and wait until it is answered."""
        answered = len(self.app.chat.kept())
        await self.write(text)
        await self.press("enter")
        await self.until(lambda: len(self.app.chat.kept()) == answered + 2 and not self.app.is_busy)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something to be so, and be shown."""
        await until(condition, within_s=PATIENCE_S)
        await self.pilot.pause()

    def lines(self) -> list[str]:
        """Return the lines of the conversation."""
        transcript = self.app.transcript
        return [transcript._strip(line).text.rstrip() for line in range(transcript.virtual_size.height)]

    def notices(self) -> str:
        """Return all notices that are shown now."""
        return " ".join(notice.message for notice in self.app._notifications)

    def states(self) -> list[State]:
        """Return how far each entry has come."""
        return [entry.state for entry in self.app.chat.entries]


@asynccontextmanager
async def seat(
    home: House,
    folder: Path,
    *,
    chat: Conversation | None = None,
    client: Client | None = None,
    settings: TerminalSettings | None = None,
    size: tuple[int, int] = (80, 24),
) -> AsyncIterator[Seat]:
    """Sit down before a chat with a gateway; drafts are kept in `folder`, and no theme is looked for outside of it."""
    chosen = settings or TerminalSettings(color_theme="harbour")
    themes = Themes(Places(config=folder, state=folder, shared=()))
    chat = chat or Conversation(model="sim-small")
    app = ChatApp(client or home.client, chat, Drafts(folder), chosen, themes=themes)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield Seat(app, pilot)
