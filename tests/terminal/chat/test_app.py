"""Everything else that can be done in the chat."""

from collections.abc import Callable
from pathlib import Path

import pytest
from textual.widgets import Input, TextArea

from tests.terminal.chat.seat import Seat, seat
from tests.terminal.conftest import house
from vllm_gateway.terminal.chat.conversation import Conversation
from vllm_gateway.terminal.chat.screens.asking import Line
from vllm_gateway.terminal.chat.screens.choosing import Choosing
from vllm_gateway.terminal.chat.screens.help import Help
from vllm_gateway.terminal.chat.screens.parameters import ParametersPanel
from vllm_gateway.terminal.chat.screens.writing import Writing
from vllm_gateway.terminal.chat.words.entry import Entry, Kind
from vllm_gateway.terminal.parameters import Parameters
from vllm_gateway.terminal.settings import TerminalSettings
from vllm_gateway.terminal.themes.chooser import ThemeChooser

CODE = "Look:\n\n```py\n1\n```\n\nor\n\n```py\n2\n```\n"


def on(me: Seat, screen: type) -> Callable[[], bool]:
    """Return whether a screen is on top."""
    return lambda: isinstance(me.app.screen, screen)


async def test_a_model_is_chosen_by_typing(tmp_path: Path) -> None:
    """The next answer is that model's, and the conversation keeps it."""
    async with house(aliases={"quick": "sim-small"}) as home, seat(home, tmp_path) as me:
        await me.say("Hello")
        await me.press("ctrl+k")
        await me.until(on(me, Choosing))
        await me.press(*"quick", "enter")
        await me.until(lambda: me.app.chat.model == "quick")
        await me.until(lambda: "quick" in str(me.app.transcript.border_subtitle))
        kept = await home.client.get(f"/v1/sessions/{me.app.chat.session}")
        assert kept["model"] == "quick"


async def test_the_system_prompt_is_edited(tmp_path: Path) -> None:
    """Before the conversation begins and after; Esc leaves it."""
    async with house() as home, seat(home, tmp_path) as me:
        for text in ("Be brief.", "Be long."):
            await me.press("ctrl+y")
            await me.until(on(me, Writing))
            me.app.screen.query_one(TextArea).text = text
            await me.press("ctrl+s")
            await me.until(lambda text=text: me.app.chat.system == text)  # type: ignore[misc] # bound in this round
            await me.say("Hello")
            kept = await home.client.get(f"/v1/sessions/{me.app.chat.session}")
            if text == "Be brief.":
                assert kept["system_prompt"] == text
        await me.press("ctrl+y")
        await me.until(on(me, Writing))
        await me.press("escape")
        await me.until(lambda: len(me.app.screen_stack) == 1)
        assert (me.app.chat.system, kept["system_prompt"]) == ("Be long.", "Be long.")


async def test_parameters_are_set_and_mistakes_told(tmp_path: Path) -> None:
    """They count from the next answer on."""
    async with house() as home, seat(home, tmp_path) as me:
        await me.press("ctrl+o")
        await me.until(on(me, ParametersPanel))
        me.app.screen.query_one("#max_tokens", Input).value = "0"
        await me.press("enter")
        await me.pilot.pause()
        assert on(me, ParametersPanel)()
        me.app.screen.query_one("#max_tokens", Input).value = "3"
        await me.press("enter")
        await me.until(lambda: me.app.chat.parameters == Parameters(max_tokens=3))
        await me.say("Hello")
        assert "out 3" in me.app.chat.entries[-1].footer
        assert "max_tokens=3" in str(me.app.transcript.border_subtitle)


async def test_answering_again_leaves_the_first_answer_where_it_was(tmp_path: Path) -> None:
    """The other answer is in a branch, which goes on from what was said before."""
    async with house() as home, seat(home, tmp_path) as me:
        await me.say("One")
        await me.say("Two")
        first = me.app.chat.session
        await me.press("ctrl+r")
        await me.until(lambda: me.app.chat.session != first and len(me.app.chat.kept()) == 4 and not me.app.is_busy)
        assert me.app.chat.title == "One #2"
        assert [entry.text for entry in me.app.chat.entries if entry.kind is Kind.USER] == ["One", "Two"]
        assert len((await home.client.get(f"/v1/sessions/{first}/messages"))["data"]) == 4


async def test_a_question_is_edited_and_asked_again(tmp_path: Path) -> None:
    """In a branch that ends before it."""
    async with house() as home, seat(home, tmp_path) as me:
        await me.say("One")
        await me.say("Two")
        await me.press("alt+up", "alt+up", "alt+up", "alt+up", "e")
        await me.until(on(me, Writing))
        me.app.screen.query_one(TextArea).text = "Three"
        await me.press("ctrl+s")
        await me.until(lambda: me.app.chat.title == "One #2" and len(me.app.chat.kept()) == 2 and not me.app.is_busy)
        assert me.app.chat.entries[0].text == "Three"


async def test_a_branch_ends_with_the_chosen_answer(tmp_path: Path) -> None:
    """And goes on by itself."""
    async with house() as home, seat(home, tmp_path) as me:
        await me.say("One")
        await me.say("Two")
        await me.press("alt+home", "alt+down", "b")
        await me.until(lambda: me.app.chat.title == "One #2")
        assert len(me.app.chat.entries) == 2
        await me.say("Three")
        assert len(me.app.chat.kept()) == 4


async def test_messages_and_code_are_copied(tmp_path: Path) -> None:
    """Code block after code block, round and round."""
    chat = Conversation(entries=[Entry(Kind.USER, "Hi", name="You"), Entry(Kind.ASSISTANT, CODE, name="m")])
    async with house() as home, seat(home, tmp_path, chat=chat) as me:
        copied = []
        await me.press("alt+up")
        for key in ("y", "Y", "Y", "Y"):
            await me.press(key)
            await me.pilot.pause()
            copied.append(me.app.clipboard)
        assert copied == [CODE, "1\n", "2\n", "1\n"]
        await me.press("alt+up", "Y")
        await me.until(lambda: "no code" in me.notices())


async def test_thoughts_are_shown_and_folded(tmp_path: Path) -> None:
    """All at once, or those of the chosen message."""
    chat = Conversation(entries=[Entry(Kind.ASSISTANT, "Yes.", thinking="Hmm", name="m")])
    async with house() as home, seat(home, tmp_path, chat=chat) as me:
        assert "    Hmm" not in me.lines()
        await me.press("ctrl+t")
        await me.until(lambda: "    Hmm" in me.lines())
        await me.press("alt+up", "space")
        await me.until(lambda: "    Hmm" not in me.lines())


async def test_a_text_is_found(tmp_path: Path) -> None:
    """Or it is said that it is not there."""
    async with house() as home, seat(home, tmp_path) as me:
        await me.say("Hello")
        for text, told in (("hello", None), ("nowhere", "'nowhere' is not in this chat.")):
            await me.press("ctrl+f")
            await me.until(on(me, Line))
            await me.press(*text, "enter")
            await me.until(lambda told=told: len(me.app.screen_stack) == 1 and (told or "") in me.notices())  # type: ignore[misc] # bound in this round


async def test_help_is_about_where_one_is(tmp_path: Path) -> None:
    """Keys that the user has changed are shown as they are now."""
    settings = TerminalSettings(color_theme="harbour", keys={"chat.send": "ctrl+x"})
    async with house() as home, seat(home, tmp_path, settings=settings, size=(100, 60)) as me:
        for focus, first in ((me.app.prompt, "Writing"), (me.app.transcript, "On a message")):
            focus.focus()
            await me.press("f1")
            await me.until(on(me, Help))
            assert isinstance(me.app.screen, Help)
            assert first in me.app.screen._first
            assert "Ctrl+X" in me.app.export_screenshot()
            await me.press("escape")
            await me.until(lambda: len(me.app.screen_stack) == 1)


async def test_a_theme_is_tried_on_and_taken(tmp_path: Path) -> None:
    """It is worn while it is marked; Esc takes the one before."""
    async with house() as home, seat(home, tmp_path) as me:
        for last, worn in (("escape", "harbour"), ("enter", "terminal")):
            me.app.action_themes()
            await me.until(on(me, ThemeChooser))
            await me.press("home", "down")
            await me.until(lambda: me.app.theme.startswith("vllm-gateway terminal"))
            await me.press(last)
            await me.until(lambda worn=worn: me.app.theme.startswith(f"vllm-gateway {worn}"))  # type: ignore[misc] # bound in this round


async def test_the_editor_gets_what_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no other program can be shown, that is said and the text stays."""
    monkeypatch.setenv("EDITOR", "true")
    async with house() as home, seat(home, tmp_path) as me:
        await me.write("Hello")
        await me.press("ctrl+g")
        await me.until(lambda: "cannot be shown here" in me.notices())
        assert me.app.prompt.text == "Hello"


async def test_every_command_is_in_the_palette(tmp_path: Path) -> None:
    """With its key, and a name that people understand."""
    async with house() as home, seat(home, tmp_path) as me:
        commands = {command.title: command.help for command in me.app.get_system_commands(me.app.screen)}
        assert commands["New chat"] == "Ctrl+N"
        assert commands["Send"] == "Enter"
        assert "Theme" in commands


async def test_the_screen_is_cleared_and_paged(tmp_path: Path) -> None:
    """What was said is still kept."""
    chat = Conversation(entries=[Entry(Kind.USER, "line\n" * 100, name="You")])
    async with house() as home, seat(home, tmp_path, chat=chat) as me:
        end = me.app.transcript.scroll_y
        await me.press("pageup")
        assert me.app.transcript.scroll_y < end
        await me.press("pagedown", "pagedown")
        assert me.app.transcript.scroll_y == end
        await me.press("ctrl+l")
        assert me.lines() == []
        assert len(me.app.chat.entries) == 1


async def test_a_theme_that_is_not_there_is_told(tmp_path: Path) -> None:
    """Something else is worn."""
    settings = TerminalSettings(color_theme="mos")
    async with house() as home, seat(home, tmp_path, settings=settings) as me:
        assert "There is no theme 'mos'; did you mean moss?" in me.app.chat.entries[0].text
        assert me.app.theme.startswith("vllm-gateway harbour")
