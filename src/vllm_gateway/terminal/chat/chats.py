"""The conversations of the chat: begun, listed, opened, renamed, deleted, written to files."""

from collections.abc import Awaitable
from pathlib import Path
from typing import TypeVar

from textual import work

from vllm_gateway.terminal.api.faults import Fault
from vllm_gateway.terminal.chat import conversation as talks
from vllm_gateway.terminal.chat.conversation import Conversation
from vllm_gateway.terminal.chat.exporting import file_name, written
from vllm_gateway.terminal.chat.screens.asking import Line, Sure
from vllm_gateway.terminal.chat.screens.choosing import Choice, ChoosingChat, Chosen
from vllm_gateway.terminal.chat.stage import Stage

Answer = TypeVar("Answer")


class Chats(Stage):
    """A chat that knows of others."""

    def action_new(self) -> None:
        """Begin a new conversation."""
        if not self.is_free():
            return
        before = self.chat
        self.show(Conversation(model=before.model, system=before.system, parameters=before.parameters))

    @work(group="modal", exclusive=True)
    async def action_sessions(self) -> None:
        """List the conversations, and do with one of them what was chosen."""
        rows = await self.asked(talks.rows(self.client))
        if rows is None:
            return
        listed = [
            Choice(row.id, row.title, f"{row.turns} turn{'s' * (row.turns != 1)}  {row.model}".rstrip()) for row in rows
        ]
        says = f"Enter opens · {self.key('list.rename')} renames · {self.key('list.delete')} deletes"
        chosen = await self.push_screen_wait(ChoosingChat(f"Chats ({len(rows)})", listed, says=says))
        if chosen is not None:
            await self._do_with(chosen, next((row.title for row in rows if row.id == chosen.id), ""))

    async def _do_with(self, chosen: Chosen, title: str) -> None:
        if chosen.what == "open":
            if self.is_free():
                await self.open(chosen.id)
        elif chosen.what == "rename":
            name = await self.push_screen_wait(Line("Rename", title))
            if name is not None and await self.did(talks.change(self.client, chosen.id, title=name)):
                self._renamed(chosen.id, name)
        elif chosen.what == "delete":
            sure = await self.push_screen_wait(Sure(f"Delete '{title}' and all that was said in it?"))
            if sure and await self.did(talks.delete(self.client, chosen.id)) and self.chat.session == chosen.id:
                self.chat.session = None
                self.action_new()
        else:
            await self._export(chosen.id, title)

    async def open(self, session: str) -> None:
        """Show another conversation."""
        found = await self.asked(talks.load(self.client, session, self.chat.parameters))
        if found is not None:
            self.show(found)

    def show(self, chat: Conversation) -> None:
        """Have another conversation on the stage, with what was being written in it."""
        self.save_draft()
        self.chat = chat
        self._draft_of = chat.session
        self.transcript.show(chat.entries)
        self.prompt.put(self.drafts.read(chat.session))
        self.prompt.focus()
        self.tell_state()

    def _renamed(self, session: str, name: str) -> None:
        if self.chat.session == session:
            self.chat.title = name
            self.tell_state()

    @work(group="modal", exclusive=True)
    async def action_export(self) -> None:
        """Write this conversation to a file."""
        if self.chat.session is None:
            self.tell("Nothing was said yet.", severity="warning")
            return
        await self._export(self.chat.session, self.chat.title or "chat")

    async def _export(self, session: str, title: str) -> None:
        says = "Enter writes it; .json or .md decides the form"
        path = await self.push_screen_wait(Line("Export to", file_name(title), says=says))
        if path is None:
            return
        form = "json" if path.endswith(".json") else "markdown"
        text = await self.asked(talks.exported(self.client, session, form))
        if text is not None:
            try:
                self.tell(f"Written to {written(Path(path), text)}.")
            except OSError as fault:
                self.tell(f"{path} cannot be written: {fault.strerror}.", severity="error")

    def action_clear(self) -> None:
        """Show nothing of what was said; the conversation stays as it is."""
        self.transcript.show([])

    # What the gateway is asked on the way

    def is_free(self) -> bool:
        """Say whether no answer is under way, and tell people when one is."""
        if self.is_busy:
            self.tell("An answer is under way. Esc stops it.", severity="warning")
        return not self.is_busy

    async def asked(self, question: Awaitable[Answer]) -> Answer | None:
        """Return what the gateway answers; None when it does not, and people are told why."""
        try:
            return await question
        except Fault as fault:
            self.tell(str(fault), severity="error")
            return None

    async def did(self, change: Awaitable[None]) -> bool:
        """Have the gateway do something; say whether it did."""
        try:
            await change
        except Fault as fault:
            self.tell(str(fault), severity="error")
            return False
        return True
