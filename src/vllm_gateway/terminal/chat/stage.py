"""The chat itself: what is said, what comes back, and what becomes of it when something goes wrong."""

import asyncio
from contextlib import suppress
from typing import ClassVar, Literal

from rich.markup import escape
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.timer import Timer
from textual.widgets import Footer, TextArea
from textual.worker import Worker, WorkerState
from typing_extensions import override

from vllm_gateway.clock import Clock, SystemClock
from vllm_gateway.terminal.api.client import Client
from vllm_gateway.terminal.api.faults import Fault, Unreachable
from vllm_gateway.terminal.chat.bindings import bindings
from vllm_gateway.terminal.chat.conversation import Conversation
from vllm_gateway.terminal.chat.drafts import Drafts
from vllm_gateway.terminal.chat.link import Link
from vllm_gateway.terminal.chat.prompt import Prompt
from vllm_gateway.terminal.chat.transcript import Transcript
from vllm_gateway.terminal.chat.turn import Turn
from vllm_gateway.terminal.chat.words.entry import Entry, Kind, State
from vllm_gateway.terminal.chat.words.look import Look
from vllm_gateway.terminal.cleaning import clean
from vllm_gateway.terminal.keys import CHAT
from vllm_gateway.terminal.slow_terminal import LOOK_S, Patience

_IDLE_SHARE = 8
"""After drawing, so many times as long is left to everything else."""
_DRAFT_S = 0.3
_BELOW = {key.action for key in CHAT} - {"quit"}
"""What is done in the chat itself, and not in a box on top of it."""


class Stage(App[int]):
    """A conversation and the line to write on; what lies on top of it is added in `app.py`."""

    TITLE = "vllm-gateway chat"
    ENABLE_COMMAND_PALETTE = True
    AUTO_FOCUS = "Prompt"
    CSS = """
    Screen { background: $background; color: $foreground; }
    ModalScreen { background: $background 60%; }
    ModalScreen:ansi { background: transparent; }
    Transcript {
        border: round $border-blurred; padding: 0 1;
        border-title-color: $text-primary; border-subtitle-color: $text-muted;
    }
    Transcript:focus { border: round $border; }
    Footer { background: $background; }
    Toast { background: $panel; }
    """
    BINDINGS: ClassVar[list[BindingType]] = bindings(
        "chat.earlier-prompt", "chat.later-prompt", "chat.cancel", is_priority=True
    )

    def __init__(
        self, client: Client, chat: Conversation, look: Look, drafts: Drafts, *, clock: Clock | None = None
    ) -> None:
        super().__init__()
        self.client = client
        self.chat = chat
        self.look = look
        self.drafts = drafts
        self.clock: Clock = clock or SystemClock()
        self.link = Link(client, self.link_changed)
        self.shows_thinking = False
        self._turn: Turn | None = None
        self._worker: Worker[None] | None = None
        self._is_leaving = False
        self._is_dirty = False
        self._patience = Patience(self)
        self._next_frame = 0.0
        self._saving: Timer | None = None
        self._draft_of = chat.session
        """The conversation under which a draft was kept last."""

    @property
    def transcript(self) -> Transcript:
        """What was said."""
        return self.screen_stack[0].query_one(Transcript)

    @property
    def prompt(self) -> Prompt:
        """What is being written."""
        return self.screen_stack[0].query_one(Prompt)

    @property
    def is_busy(self) -> bool:
        """An answer is under way."""
        return self._turn is not None

    @override
    def compose(self) -> ComposeResult:
        yield Transcript(self.look)
        yield Prompt()
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Show the conversation, and what was being written in it."""
        self.transcript.show(self.chat.entries)
        self.prompt.put(self.drafts.read(self.chat.session))
        self.prompt.focus()
        self.set_interval(LOOK_S, self._frame)
        self.run_worker(self.link.watch(), group="link", exit_on_error=False)
        self.tell_state()
        self.opened()

    def opened(self) -> None:
        """Do what else is to be done when everything is on the screen."""

    @override
    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keep keys from what lies below a box that is open."""
        if action in _BELOW and len(self.screen_stack) > 1:
            return False
        return super().check_action(action, parameters)

    # Saying something

    def on_prompt_finished(self) -> None:
        """Say what was written."""
        if not self.prompt.text.strip():
            return
        if self.is_busy:
            self.tell("An answer is under way. Esc stops it.", severity="warning")
            return
        self.say(self.prompt.take().strip("\n"))

    def say(self, text: str) -> None:
        """Say something, and show the answer as it comes."""
        question = Entry(Kind.USER, text, name="You")
        answer = Entry(Kind.ASSISTANT, name=self.chat.model or "Answer", state=State.WAITING)
        answer.is_unfolded = self.shows_thinking
        self.chat.entries += [question, answer]
        self.transcript.add(question, answer)
        self._turn = Turn(self.client, self.chat, question, answer, self.clock)
        self.save_draft()
        self._worker = self.run_worker(self._tell(self._turn), group="turn", exit_on_error=False)

    async def _tell(self, turn: Turn) -> None:
        try:
            while True:
                try:
                    await turn.run(self._piece_came)
                    break
                except Unreachable as fault:
                    turn.answer.footer = f"{fault} This is sent when it is back; Esc takes it back."
                    self.transcript.changed(turn.answer)
                    await self.link.back()
                    turn.answer.footer = ""
        except Fault as fault:
            self._failed(turn, str(fault))
        except asyncio.CancelledError:
            if not self._is_leaving:
                self._failed(turn, "Stopped.")
            raise
        finally:
            if not self._is_leaving:
                self._turn = None
                self.save_draft()
                self.transcript.changed(turn.answer)
                self.transcript.changed(turn.question)
                self.tell_state()

    def _failed(self, turn: Turn, why: str) -> None:
        """Show what has come and why it is not more; where nothing has, what was said goes back to where it was."""
        turn.copy()
        turn.answer.state = State.CUT
        if (turn.answer.text or turn.answer.thinking) or self.prompt.text.strip():
            turn.answer.footer = f"{why} The gateway has not kept this; {self.key('chat.regenerate')} asks again."
            return
        for entry in (turn.question, turn.answer):
            self.chat.entries.remove(entry)
        self.transcript.drop(turn.question, turn.answer)
        self.prompt.put(turn.question.text)
        if why != "Stopped.":
            self.remark(why)

    def remark(self, sentence: str) -> None:
        """Say something in the chat's own name."""
        entry = Entry(Kind.NOTE, sentence)
        self.chat.entries.append(entry)
        self.transcript.add(entry)

    def action_cancel(self) -> None:
        """Stop the answer; with none under way, go back to writing."""
        if self._worker is not None and self._worker.state in {WorkerState.RUNNING, WorkerState.PENDING}:
            self._worker.cancel()
            return
        self.transcript.find("")
        self.transcript.choose(None)
        self.prompt.focus()

    def action_earlier_prompt(self) -> None:
        """Show what was sent before."""
        self.prompt.step(-1)

    def action_later_prompt(self) -> None:
        """Show what was sent after that."""
        self.prompt.step(1)

    def on_transcript_typed(self, event: Transcript.Typed) -> None:
        """Write where writing belongs."""
        self.prompt.focus()
        self.prompt.insert(event.text)

    # What is seen

    def _piece_came(self) -> None:
        self._is_dirty = True

    def _frame(self) -> None:
        """Draw the answer as far as it has come, unless that was just done."""
        turn = self._turn
        self._patience.look()
        if turn is None or self._patience.is_waiting:
            return
        now = self.clock.now()
        if now < self._next_frame:
            return
        self.tell_state()
        if self._is_dirty:
            self._is_dirty = False
            turn.copy()
            self.transcript.changed(turn.answer)
            self._next_frame = now + (self.clock.now() - now) * _IDLE_SHARE

    def tell(self, sentence: str, *, severity: Literal["information", "warning", "error"] = "information") -> None:
        """Show a sentence for some seconds."""
        self.notify(clean(sentence), severity=severity, markup=False)

    def tell_state(self) -> None:
        """Say above and below the conversation what it is, and what is going on."""
        box = self.transcript
        box.border_title = escape(clean(self.chat.title or "New chat"))
        box.border_subtitle = escape(clean(" · ".join(part for part in self.state() if part)))

    def state(self) -> list[str]:
        """Return what is said about what is going on."""
        doing = ""
        if self._turn is not None:
            reply = self._turn.reply
            doing = f"answering {self.clock.now() - reply.asked_at:.0f} s" if self.link.is_up else "waiting"
        return [doing, self.chat.model or "", "" if self.link.is_up else "gateway away"]

    def link_changed(self, *, is_up: bool) -> None:
        """Tell people that the gateway went or came."""
        if is_up:
            self.tell("The gateway is back.")
        else:
            self.tell("The gateway is away. What you write is kept.", severity="warning")
        self.tell_state()

    def key(self, name: str) -> str:
        """Return the keys of an action as they are set now."""
        raise NotImplementedError

    # What was written is never lost

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        """Keep what is being written, a moment after it was."""
        if event.text_area is self.prompt:
            if self._saving is not None:
                self._saving.stop()
            self._saving = self.set_timer(_DRAFT_S, self.save_draft)

    def save_draft(self) -> None:
        """Keep what is being written, and what was said and is not answered."""
        asked = "" if self._turn is None else self._turn.question.text
        written = self.prompt.text if self.screen_stack else ""
        text = "\n\n".join(part for part in (asked, written) if part.strip())
        if self._draft_of is None and self.chat.session is not None:
            self.drafts.write(None, "")  # it has begun since
        self._draft_of = self.chat.session
        if not self.drafts.write(self.chat.session, text) and text:
            self.tell("What you write cannot be kept on the disk.", severity="warning")

    @override
    async def action_quit(self) -> None:
        """Leave; what is being written, and what was said and is not answered, is there next time."""
        self.save_draft()
        self._is_leaving = True
        with suppress(Exception):  # whatever the end of a turn raises, leaving comes first
            self.workers.cancel_group(self, "turn")
        self.exit(0)
