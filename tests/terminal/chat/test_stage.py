"""Talking: what is said, what comes back, and what becomes of it when something goes wrong."""

import asyncio
from pathlib import Path

from tests.gateway import gateway
from tests.terminal.chat.seat import seat
from tests.terminal.conftest import house
from tests.waiting import until
from vllm_gateway.terminal.api import Client, Target
from vllm_gateway.terminal.chat.conversation import Conversation
from vllm_gateway.terminal.chat.drafts import Drafts
from vllm_gateway.terminal.chat.words.entry import Kind, State

KEYS = {"mode": "keys", "client_keys": ("client-key-1",)}


async def test_what_is_said_is_answered_and_kept(tmp_path: Path) -> None:
    """The answer comes with its figures, the next turn sees the one before, and the draft is gone."""
    async with house() as home, seat(home, tmp_path) as me:
        await me.say("Hello")
        await me.say("And now?")
        assert [entry.kind for entry in me.app.chat.entries] == [Kind.USER, Kind.ASSISTANT] * 2
        assert me.app.transcript.border_title == "Hello"
        assert any("tok/s" in line for line in me.lines())
        assert len((await home.client.get(f"/v1/sessions/{me.app.chat.session}/messages"))["data"]) == 4
        assert Drafts(tmp_path).read(me.app.chat.session) == Drafts(tmp_path).read(None) == ""


async def test_esc_stops_the_answer_and_the_model(tmp_path: Path) -> None:
    """What has come stays on the screen, the gateway has kept nothing, and the replica works no longer."""
    async with house(itl_ms=50) as home, seat(home, tmp_path) as me:
        await me.write("Hello")
        await me.press("enter")
        await me.until(lambda: bool(me.app.chat.entries) and bool(me.app.chat.entries[-1].text))
        await me.press("escape")
        await me.until(lambda: not me.app.is_busy)
        await until(lambda: not home.sim.engine.scheduler.running, within_s=30)
        assert me.states() == [State.WHOLE, State.CUT]
        assert "Stopped. The gateway has not kept this; Ctrl+R asks again." in " ".join(
            line.strip() for line in me.lines()
        )
        assert (await home.client.get(f"/v1/sessions/{me.app.chat.session}/messages"))["data"] == []


async def test_a_stream_that_breaks_off_is_told_and_asked_again(tmp_path: Path) -> None:
    """The part that came is marked; asking again replaces it."""
    async with house() as home, seat(home, tmp_path) as me:
        home.sim.faults.add(["reset@20x1"])
        await me.write("Hello")
        await me.press("enter")
        await me.until(lambda: State.CUT in me.states() and not me.app.is_busy)
        assert me.app.chat.entries[-1].text
        await me.press("ctrl+r")
        await me.until(lambda: len(me.app.chat.kept()) == 2 and not me.app.is_busy)
        assert me.states() == [State.WHOLE, State.WHOLE]


async def test_a_refusal_gives_back_what_was_said(tmp_path: Path) -> None:
    """A limit is told with the gateway's sentence, and the message is on the line again."""
    async with house(limits={"requests_per_minute": 1, "per": "ip"}) as home, seat(home, tmp_path) as me:
        await me.say("Hello")
        await me.write("Too much")
        await me.press("enter")
        await me.until(lambda: not me.app.is_busy and me.app.chat.entries[-1].kind is Kind.NOTE)
        assert me.app.prompt.text == "Too much"
        assert "1 request per minute" in me.app.chat.entries[-1].text


async def test_a_wrong_key_is_told_at_once(tmp_path: Path) -> None:
    """Before anything is said."""
    async with house(auth=KEYS) as home, seat(home, tmp_path) as me:
        await me.until(lambda: bool(me.app.chat.entries))
        assert "key" in me.app.chat.entries[0].text


async def test_a_gateway_that_comes_back_gets_what_was_said(tmp_path: Path) -> None:
    """Until then the message waits, on the disk too; nobody has to do anything."""
    async with house() as home:
        async with gateway(home.sim.url + "/v1", default_model="sim-small") as other:
            port = other.port
        away = Client(Target.at(f"127.0.0.1:{port}"))
        async with seat(home, tmp_path, client=away) as me:
            await me.write("Hello")
            await me.press("enter")
            await me.until(lambda: "This is sent when it is back" in me.app.chat.entries[-1].footer)
            assert Drafts(tmp_path).read(None) == "Hello"
            relay = await _relay(port, home.front.port)
            await me.until(lambda: len(me.app.chat.kept()) == 2 and not me.app.is_busy)
            assert "The gateway is back." in me.notices()
            relay.close()


async def test_esc_takes_back_what_waits(tmp_path: Path) -> None:
    """It is on the line again as it was written."""
    async with house() as home, seat(home, tmp_path, client=Client(Target.at("127.0.0.1:1"))) as me:
        await me.write("Hello\nthere")
        await me.press("enter")
        await me.until(lambda: "when it is back" in me.app.chat.entries[-1].footer)
        await me.press("escape")
        await me.until(lambda: not me.app.is_busy)
        assert me.app.prompt.text == "Hello\nthere"


async def test_nothing_is_lost_when_the_window_closes(tmp_path: Path) -> None:
    """What was being written, and what was said and not answered, is there the next time."""
    async with house(itl_ms=50) as home:
        async with seat(home, tmp_path) as me:
            await me.write("Hello")
            await me.press("enter")
            await me.until(lambda: me.app.chat.session is not None)
            await me.write("and then")
            await me.press("ctrl+q")
            chat = me.app.chat
        async with seat(home, tmp_path, chat=Conversation(chat.session)) as again:
            assert again.app.prompt.text == "Hello\n\nand then"


async def test_one_answer_at_a_time(tmp_path: Path) -> None:
    """Whoever sends meanwhile keeps the text."""
    async with house(itl_ms=50) as home, seat(home, tmp_path) as me:
        await me.write("Hello")
        await me.press("enter")
        await me.until(lambda: me.app.is_busy)
        await me.write("Second")
        await me.press("enter")
        await me.pilot.pause()
        assert "An answer is under way" in me.notices()
        assert me.app.prompt.text == "Second"
        await me.press("escape")
        await me.until(lambda: not me.app.is_busy)


async def test_writing_goes_to_the_line_wherever_the_focus_is(tmp_path: Path) -> None:
    """Even while one reads; Esc goes back to writing."""
    async with house() as home, seat(home, tmp_path) as me:
        me.app.transcript.focus()
        await me.press("H")
        await me.until(lambda: me.app.prompt.text == "H")
        assert me.app.focused is me.app.prompt
        me.app.transcript.focus()
        await me.press("escape")
        await me.until(lambda: me.app.focused is me.app.prompt)


async def test_a_title_is_no_markup(tmp_path: Path) -> None:
    """Brackets are shown as they are."""
    async with house() as home, seat(home, tmp_path) as me:
        await me.say("[red]What[/] is [x]?")
        assert "[red]What[/] is [x]?" in me.app.export_screenshot().replace("&#160;", " ").replace("&nbsp;", " ")


async def _relay(port: int, to: int) -> asyncio.Server:
    """Have a gateway at another address."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", to)
        await asyncio.gather(pump(reader, back), pump(there, writer))

    return await asyncio.start_server(serve, "127.0.0.1", port)
