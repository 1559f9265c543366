"""The list of conversations, and what is done in it."""

from pathlib import Path

import pytest

from tests.terminal.chat.seat import Seat, seat
from tests.terminal.conftest import House, house
from vllm_gateway.terminal.chat.conversation import Conversation
from vllm_gateway.terminal.chat.screens.asking import Line, Sure
from vllm_gateway.terminal.chat.screens.choosing import Choosing
from vllm_gateway.terminal.settings import TerminalSettings


async def begun(home: House, *titles: str) -> list[str]:
    """Begin conversations with a message each, and return their ids."""
    found = []
    for title in titles:
        messages = [{"role": "user", "content": f"About {title}"}, {"role": "assistant", "content": "Well."}]
        session = await home.client.post("/v1/sessions", {"title": title, "messages": messages})
        found.append(str(session["id"]))
    return found


async def listed(me: Seat) -> None:
    """Open the list."""
    await me.press("ctrl+s")
    await me.until(lambda: isinstance(me.app.screen, Choosing))


async def test_a_conversation_is_found_and_opened(tmp_path: Path) -> None:
    """Typing searches in the titles; what was being written stays with its own conversation."""
    async with house() as home, seat(home, tmp_path) as me:
        await begun(home, "apples", "pears", "plums")
        await me.write("unsent")
        await listed(me)
        await me.press(*"pea", "enter")
        await me.until(lambda: me.app.chat.title == "pears")
        assert "▌ About pears" in me.lines()
        assert me.app.prompt.text == ""
        await me.press("ctrl+n")
        await me.until(lambda: me.app.chat.session is None)
        assert me.app.prompt.text == "unsent"


async def test_a_conversation_is_renamed_deleted_and_exported(tmp_path: Path) -> None:
    """Deleting asks first; the file has the conversation."""
    async with house() as home:
        apples, _ = await begun(home, "apples", "pears")
        async with seat(home, tmp_path, chat=Conversation(apples)) as me:
            await me.until(lambda: me.app.chat.title == "apples")
            await listed(me)
            await me.press(*"apples", "f2")
            await me.until(lambda: isinstance(me.app.screen, Line))
            await me.press("!", "enter")
            await me.until(lambda: me.app.chat.title == "apples!")
            await listed(me)
            await me.press(*"apples", "f4")
            await me.until(lambda: isinstance(me.app.screen, Line))
            me.app.screen.query_one("Input").value = str(tmp_path / "out.md")  # type: ignore[attr-defined] # an Input
            await me.press("enter")
            await me.until((tmp_path / "out.md").exists)
            assert "About apples" in (tmp_path / "out.md").read_text(encoding="utf-8")
            await listed(me)
            await me.press(*"apples", "ctrl+d")
            await me.until(lambda: isinstance(me.app.screen, Sure))
            await me.press("y")
            await me.until(lambda: me.app.chat.session is None)
            assert [row["title"] for row in (await home.client.get("/v1/sessions"))["data"]] == ["pears"]


async def test_the_youngest_conversation_goes_on(tmp_path: Path) -> None:
    """`last` means that one; an id that is not there is told, and a new chat begins."""
    async with house() as home:
        await begun(home, "apples")
        async with seat(home, tmp_path, chat=Conversation("last")) as me:
            await me.until(lambda: me.app.chat.title == "apples")
        async with seat(home, tmp_path, chat=Conversation("sess_none")) as me:
            await me.until(lambda: "session" in me.notices().lower())
            await me.say("Hello")
            assert me.app.chat.session != "sess_none"


async def test_exporting_says_where_or_why_not(tmp_path: Path) -> None:
    """Nothing to write, JSON by the name of the file, and a folder that is not there."""
    async with house() as home, seat(home, tmp_path) as me:
        await me.press("ctrl+e")
        await me.until(lambda: "Nothing was said yet." in me.notices())
        await me.say("Hello")
        for name, told in (("out.json", "Written to"), ("no/out.md", "cannot be written: No such file")):
            await me.press("ctrl+e")
            await me.until(lambda: isinstance(me.app.screen, Line))
            me.app.screen.query_one("Input").value = str(tmp_path / name)  # type: ignore[attr-defined] # an Input
            await me.press("enter")
            await me.until(lambda told=told: told in me.notices())  # type: ignore[misc] # bound in this round
        assert (tmp_path / "out.json").read_text(encoding="utf-8").startswith('{"session"')


@pytest.mark.parametrize("key", ["ctrl+s", "ctrl+k"])
async def test_a_gateway_that_refuses_is_told_where_one_looks(tmp_path: Path, key: str) -> None:
    """No list is opened."""
    auth = {"mode": "keys", "client_keys": ("client-key-1",)}
    async with house(auth=auth) as home, seat(home, tmp_path, settings=TerminalSettings(color_theme="moss")) as me:
        await me.press(key)
        await me.until(lambda: "key" in me.notices().lower())
        assert len(me.app.screen_stack) == 1
