"""What is seen: every screen as it was when somebody looked at it and found it good."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.screen import Screen
from textual.widgets import Input, TextArea

from tests.terminal.chat.seat import seat
from tests.terminal.conftest import house
from tests.terminal.snapshots import check_snapshot
from tests.terminal.themes.test_palette import CHOSEN
from vllm_gateway.terminal.chat.app import ChatApp
from vllm_gateway.terminal.chat.conversation import Conversation
from vllm_gateway.terminal.chat.models import Model, choices
from vllm_gateway.terminal.chat.screens.asking import Line, Sure
from vllm_gateway.terminal.chat.screens.choosing import Choice, Choosing, ChoosingChat
from vllm_gateway.terminal.chat.screens.help import Help
from vllm_gateway.terminal.chat.screens.parameters import ParametersPanel
from vllm_gateway.terminal.chat.screens.writing import Writing
from vllm_gateway.terminal.chat.words.entry import Entry, Kind, State
from vllm_gateway.terminal.parameters import Parameters
from vllm_gateway.terminal.settings import TerminalSettings

KEPT = Path(__file__).parent / "kept"
ANSWER = """## Two ways

Use `sorted` with a **key**:

```python
def by_age(people: list[Person]) -> list[Person]:
    # the oldest first
    return sorted(people, key=lambda p: -p.age)
```

1. It is *stable*.
2. It copies.

| way | copies |
|-----|-------:|
| sorted | 1 |
"""
CHATS = [Choice("1", "Sorting people [by age]", "3 turns  large"), Choice("2", "Names of colours", "1 turns  tiny")]
MODELS = [Model("large", 131_072, ("gpu-1", "gpu-2"), 3, 1), Model("tiny", 4096, ())]
BOXES: dict[str, Callable[[], Screen[Any]]] = {
    "chats": lambda: ChoosingChat("Chats (2)", CHATS),
    "models": lambda: Choosing("Model", choices(MODELS, "large"), says="context · replicas · load · Enter takes it"),
    "parameters": lambda: ParametersPanel(Parameters(temperature=0.5)),
    "system": lambda: Writing("System prompt", "You are brief."),
    "rename": lambda: Line("Rename", "Names of colours"),
    "sure": lambda: Sure("Delete 'Names of colours' and all that was said in it?"),
    "help": lambda: Help({}, first=("Writing", "Answers")),
}


def talk() -> Conversation:
    """Return a conversation with everything in it."""
    chat = Conversation(model="large", title="Sorting people [by age]", context_tokens=1234)
    chat.entries = [
        Entry(Kind.USER, "How do I sort people by age?\n  in Python", name="You", place=0, is_forgotten=True),
        Entry(
            *(Kind.ASSISTANT, ANSWER, "They want a list.", "large"),
            footer="TTFT 84 ms · 103 tok/s · in 42 (40 cached) · out 128 · 1.3 s · gpu-1",
            place=1,
        ),
        Entry(Kind.NOTE, "The gateway refused this: too many requests."),
        Entry(Kind.USER, "Thanks", name="You"),
        Entry(Kind.ASSISTANT, "You are", name="large", footer="Stopped.", state=State.CUT),
    ]
    return chat


async def drawn(folder: Path, theme: str, size: tuple[int, int], box: Callable[[], Screen[Any]] | None = None) -> str:
    """Return a screen as a picture."""
    async with (
        house() as home,
        seat(home, folder, chat=talk(), settings=TerminalSettings(color_theme=theme), size=size) as me,
    ):
        await me.until(lambda: all(worker.group != "begin" or worker.is_finished for worker in me.app.workers))
        nobody_looks_any_more(me.app)
        me.app.show(talk())
        if box is not None:
            await me.app.push_screen(box())
            await me.pilot.pause()
        for field in (*me.app.screen.query(Input), *me.app.screen.query(TextArea), me.app.prompt):
            field.cursor_blink = False
        await me.pilot.pause()
        return me.app.export_screenshot()


def nobody_looks_any_more(app: ChatApp) -> None:
    """Forget how the gateway is: on a machine that is busy it may have been away, which would be seen."""
    app.workers.cancel_all()
    app.link.is_up = True
    app.clear_notifications()


@pytest.mark.parametrize("theme", [*CHOSEN, "terminal"])
async def test_the_chat_in_themes(tmp_path: Path, theme: str) -> None:
    """Each of them, on a large screen."""
    check_snapshot(KEPT / f"chat-{theme}.svg", await drawn(tmp_path, theme, (110, 44)))


@pytest.mark.parametrize("size", [(80, 24), (40, 12)])
async def test_the_chat_on_small_screens(tmp_path: Path, size: tuple[int, int]) -> None:
    """Eighty columns by twenty-four lines, and half of that."""
    check_snapshot(KEPT / f"chat-{size[0]}x{size[1]}.svg", await drawn(tmp_path, "harbour", size))


@pytest.mark.parametrize("name", BOXES)
async def test_each_box(tmp_path: Path, name: str) -> None:
    """What lies on top of the chat."""
    check_snapshot(KEPT / f"box-{name}.svg", await drawn(tmp_path, "harbour", (80, 24), BOXES[name]))
