"""The chat with everything that can be done in it."""

import asyncio
import signal
from collections.abc import Iterable
from contextlib import suppress
from typing import ClassVar

from textual import work
from textual.app import SuspendNotSupported, SystemCommand
from textual.binding import BindingType
from textual.screen import Screen
from typing_extensions import override

from vllm_gateway.terminal.api.client import Client
from vllm_gateway.terminal.api.faults import Fault
from vllm_gateway.terminal.chat import conversation as talks
from vllm_gateway.terminal.chat.bindings import bindings, keymap
from vllm_gateway.terminal.chat.chats import Chats
from vllm_gateway.terminal.chat.conversation import Conversation
from vllm_gateway.terminal.chat.drafts import Drafts
from vllm_gateway.terminal.chat.editor import EditorMissing, edited
from vllm_gateway.terminal.chat.models import Model, choices, models, short
from vllm_gateway.terminal.chat.screens.asking import Line
from vllm_gateway.terminal.chat.screens.choosing import Choosing
from vllm_gateway.terminal.chat.screens.help import Help, shown
from vllm_gateway.terminal.chat.screens.parameters import ParametersPanel
from vllm_gateway.terminal.chat.screens.writing import Writing
from vllm_gateway.terminal.chat.transcript import Transcript
from vllm_gateway.terminal.chat.words.entry import Entry, Kind
from vllm_gateway.terminal.chat.words.look import Look
from vllm_gateway.terminal.chat.words.markdown import fences
from vllm_gateway.terminal.keys import CHAT
from vllm_gateway.terminal.settings import TerminalSettings
from vllm_gateway.terminal.themes import Palette, Themes
from vllm_gateway.terminal.themes.chooser import ThemeChooser
from vllm_gateway.terminal.themes.loading import USUAL, ThemeUnknown
from vllm_gateway.terminal.themes.wearing import LOOK_S, Wardrobe

_ELSEWHERE = {"chat.send", "chat.newline", "chat.earlier-prompt", "chat.later-prompt", "chat.cancel"}
"""What the prompt and the stage bind themselves."""


class ChatApp(Chats):
    """The chat."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(
        *(key.id for key in CHAT if key.id.startswith("chat.") and key.id not in _ELSEWHERE),
        *("block.up", "block.down", "block.first", "block.last", "view.page-up", "view.page-down"),
        is_priority=True,
    )

    def __init__(
        self,
        client: Client,
        chat: Conversation,
        drafts: Drafts,
        settings: TerminalSettings,
        *,
        themes: Themes | None = None,
    ) -> None:
        self._complaint = ""
        try:
            wardrobe = self._wardrobe_with(settings.color_theme, settings, themes)
        except ThemeUnknown as unknown:
            self._complaint = str(unknown)
            wardrobe = self._wardrobe_with(USUAL, settings, themes)
        super().__init__(client, chat, Look(wardrobe.palette), drafts)
        self._wardrobe = wardrobe
        self._settings = settings
        self._models: dict[str, Model] = {}
        self._copied: tuple[Entry, int] | None = None
        self.shows_thinking = settings.show_thinking
        self.set_keymap(keymap(settings.keys))

    def _wardrobe_with(self, name: str, settings: TerminalSettings, themes: Themes | None) -> Wardrobe:
        return Wardrobe(self, name, themes=themes, has_background=settings.theme_background, worn=self._worn)

    @override
    def opened(self) -> None:
        self._wardrobe.dress()
        if self._complaint:
            self.remark(self._complaint)
        self.set_interval(LOOK_S, self._wardrobe.look)
        with suppress(NotImplementedError, AttributeError):  # Windows has no such signal
            asyncio.get_running_loop().add_signal_handler(signal.SIGUSR2, self._wardrobe.read_again)
        self._begin()

    @work(group="begin", exit_on_error=False)
    async def _begin(self) -> None:
        """Learn what the gateway has, and open the conversation that was asked for."""
        try:
            if self.chat.session is not None:
                session = await talks.newest(self.client) if self.chat.session == "last" else self.chat.session
                await self.open(session)
            await self._learn_models()
        except Fault as fault:
            self.chat.session = None if self.chat.session == "last" else self.chat.session
            self.remark(str(fault))

    async def _learn_models(self) -> None:
        self._models = {model.id: model for model in await models(self.client)}
        self.tell_state()

    @override
    def link_changed(self, *, is_up: bool) -> None:
        super().link_changed(is_up=is_up)
        if is_up:
            self.run_worker(self.asked(self._learn_models()), group="begin", exit_on_error=False)

    # How the model answers

    @work(group="modal", exclusive=True)
    async def action_models(self) -> None:
        """Choose a model."""
        found = await self.asked(models(self.client))
        if found is None:
            return
        self._models = {model.id: model for model in found}
        chosen = await self.push_screen_wait(
            Choosing("Model", choices(found, self.chat.model), says="context · replicas · load · Enter takes it")
        )
        if chosen is not None:
            self.chat.model = chosen.id
            if self.chat.session is not None:
                await self.did(talks.change(self.client, self.chat.session, model=chosen.id))
            self.tell_state()

    @work(group="modal", exclusive=True)
    async def action_system(self) -> None:
        """Change what the model is told first."""
        text = await self.push_screen_wait(Writing("System prompt", self.chat.system or ""))
        if text is not None:
            self.chat.system = text or None
            if self.chat.session is not None:
                await self.did(talks.change(self.client, self.chat.session, system_prompt=text or None))

    @work(group="modal", exclusive=True)
    async def action_parameters(self) -> None:
        """Change the parameters."""
        taken = await self.push_screen_wait(ParametersPanel(self.chat.parameters))
        if taken is not None:
            self.chat.parameters = taken
            self.tell_state()

    # What was answered

    def action_regenerate(self) -> None:
        """Have the last question answered again."""
        asked = [entry for entry in self.chat.entries if entry.kind is Kind.USER]
        if asked and self.is_free():
            self._ask_again(asked[-1], asked[-1].text)

    @work(group="modal", exclusive=True)
    async def _ask_again(self, question: Entry, text: str) -> None:
        """Ask something in the place of a question; what was answered to that one stays in its own conversation."""
        if question.place is None:
            at = self.chat.entries.index(question)
            gone = [entry for entry in self.chat.entries[at:] if entry.place is None]
            self.chat.entries = [entry for entry in self.chat.entries if entry not in gone]
            self.transcript.drop(*gone)
        else:
            before = self.chat.before(question)
            if not await self._branch(before):
                return
        self.say(text)

    async def _branch(self, kept: list[Entry]) -> bool:
        """Go on with a copy of what was kept; say whether there is one."""
        title = talks.branch_title(self.chat.title)
        other = await self.asked(talks.branch(self.client, self.chat, kept, title))
        if other is None:
            return False
        self.tell(f"What was said before stays in '{self.chat.title}'.")
        self.show(other)
        return True

    @work(group="modal", exclusive=True)
    async def on_transcript_asked(self, event: Transcript.Asked) -> None:
        """Do something with the chosen message."""
        entry = event.entry
        if event.what == "copy":
            self._copy(entry.text, "message")
        elif event.what == "copy_code":
            self._copy_code(entry)
        elif event.what == "fold":
            entry.is_unfolded = not entry.is_unfolded
            self.transcript.changed(entry)
        elif not self.is_free():
            return
        elif event.what == "branch" and entry.place is not None:
            kept = self.chat.before(entry)
            await self._branch([*kept, entry] if entry.kind is Kind.ASSISTANT else kept)
        elif event.what == "edit" and entry.kind is Kind.USER:
            text = await self.push_screen_wait(Writing("Edit and ask again", entry.text))
            if text:
                self._ask_again(entry, text)

    def _copy_code(self, entry: Entry) -> None:
        """Copy the next code block of a message."""
        found = fences(entry.text)
        if not found:
            self.tell("There is no code in this message.", severity="warning")
            return
        which = self._copied[1] + 1 if self._copied is not None and self._copied[0] is entry else 0
        self._copied = entry, which % len(found)
        self._copy(found[which % len(found)], f"code block {which % len(found) + 1} of {len(found)}")

    def _copy(self, text: str, what: str) -> None:
        self.copy_to_clipboard(text)
        self.tell(f"Copied: {what}.")

    def action_thinking(self) -> None:
        """Fold or unfold all thoughts."""
        self.shows_thinking = not self.shows_thinking
        for entry in self.chat.entries:
            entry.is_unfolded = self.shows_thinking
            if entry.thinking:
                self.transcript.changed(entry)
        self.tell("Thoughts are shown." if self.shows_thinking else "Thoughts are folded.")

    @work(group="modal", exclusive=True)
    async def action_find(self) -> None:
        """Find a text, from here upwards."""
        text = await self.push_screen_wait(Line("Find", says="Enter goes to the one before"))
        if text is not None and not self.transcript.find(text):
            self.tell(f"'{text}' is not in this chat.", severity="warning")

    # Moving

    def action_up(self) -> None:
        """Choose the message before, or go a page up."""
        self._step(-1)

    def action_down(self) -> None:
        """Choose the message after."""
        self._step(1)

    def action_first(self) -> None:
        """Choose the first message."""
        self._step(-len(self.transcript.entries))

    def action_last(self) -> None:
        """Choose the last message."""
        self._step(len(self.transcript.entries))

    def _step(self, by: int) -> None:
        self.transcript.focus()
        self.transcript.step(by)

    def action_page_up(self) -> None:
        """Go a page up."""
        self.transcript.scroll_page_up(animate=False)

    def action_page_down(self) -> None:
        """Go a page down."""
        self.transcript.scroll_page_down(animate=False)

    # Other programs, keys, colours

    def action_editor(self) -> None:
        """Write in the editor that the user likes."""
        try:
            with self.suspend():
                text = edited(self.prompt.text)
        except SuspendNotSupported:
            self.tell("Another program cannot be shown here.", severity="error")
        except EditorMissing as missing:
            self.tell(str(missing), severity="error")
        else:
            self.prompt.put(text)
            self.prompt.focus()

    def action_help(self) -> None:
        """Show all keys, first those of where one is."""
        is_reading = isinstance(self.focused, Transcript)
        first = ("On a message", "Messages") if is_reading else ("Writing", "Answers")
        self.push_screen(Help(self._settings.keys, first=first))

    def action_palette(self) -> None:
        """Show all commands."""
        self.action_command_palette()

    def action_themes(self) -> None:
        """Choose a theme; each is worn while it is marked."""
        self.push_screen(ThemeChooser(self._wardrobe))

    def _worn(self, palette: Palette) -> None:
        self.look = Look(palette)
        self.transcript.wear(self.look)

    @override
    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        for key in CHAT:
            if key.id.startswith("chat.") and key.id != "chat.palette":
                does = getattr(self, f"action_{key.action}", None) or getattr(self.prompt, f"action_{key.action}")
                yield SystemCommand(key.says, self.key(key.id), does)
        yield SystemCommand("Theme", "Other colours", self.action_themes)

    @override
    def key(self, name: str) -> str:
        usual = next(key.keys for key in CHAT if key.id == name)
        return shown(self._settings.keys.get(name, usual))

    @override
    def state(self) -> list[str]:
        answered = (entry.name for entry in reversed(self.chat.entries) if entry.kind is Kind.ASSISTANT)
        model = self._models.get(self.chat.model or next(answered, ""))
        room, used = "", self.chat.context_tokens
        if used:
            of = f"of {short(model.context_tokens)}" if model and model.context_tokens else "tokens"
            room = f"{short(used)} {of}"
        *before, away = super().state()
        return [*before, room, " ".join(f"{name}={value}" for name, value in self.chat.parameters.body().items()), away]
