"""The conversation on the screen."""

import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from typing_extensions import override

from tests.waiting import until
from vllm_gateway.terminal.chat.transcript import Transcript
from vllm_gateway.terminal.chat.words.entry import Entry, Kind
from vllm_gateway.terminal.chat.words.look import Look
from vllm_gateway.terminal.themes import Themes


class Reading(App[None]):
    """A transcript alone."""

    def __init__(self, entries: list[Entry]) -> None:
        super().__init__()
        self.asked: list[tuple[str, str]] = []
        self.typed: list[str] = []
        self._entries = entries

    @override
    def compose(self) -> ComposeResult:
        yield Transcript(Look(Themes().load("harbour")))

    def on_mount(self) -> None:
        """Show the entries."""
        self.transcript.show(self._entries)

    @property
    def transcript(self) -> Transcript:
        """What is read."""
        return self.query_one(Transcript)

    def on_transcript_asked(self, event: Transcript.Asked) -> None:
        """Note what is asked for."""
        self.asked.append((event.what, event.entry.text))

    def on_transcript_typed(self, event: Transcript.Typed) -> None:
        """Note what is typed."""
        self.typed.append(event.text)


def entries(count: int, lines: int = 3) -> list[Entry]:
    """Return messages of so many lines each."""
    return [
        Entry(Kind.USER, "\n".join(f"{number}.{line}" for line in range(lines)), name="You") for number in range(count)
    ]


def seen(app: Reading) -> list[str]:
    """Return the lines on the screen."""
    return [app.transcript.render_line(y).text.rstrip() for y in range(app.transcript.size.height)]


async def all_made(app: Reading, pilot: Pilot[None], lines: int) -> None:
    """Wait until every line has been made."""
    await until(lambda: app.transcript.virtual_size.height == lines, within_s=60)
    await pilot.pause()


async def test_ten_thousand_lines_begin_at_their_end() -> None:
    """The end is there at once; what is above follows without moving what is looked at, and all can be reached."""
    app = Reading(entries(2000))
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.pause()
        at_first = seen(app)
        assert at_first[-5:] == ["▌ You", "▌ 1999.0", "▌ 1999.1", "▌ 1999.2", ""]
        await all_made(app, pilot, 10_000)
        assert seen(app) == at_first
        app.transcript.scroll_home(animate=False, immediate=True)
        assert seen(app)[:3] == ["▌ You", "▌ 0.0", "▌ 0.1"]
        app.transcript.scroll_to(y=5000, animate=False, immediate=True)
        assert seen(app)[1] == "▌ 1000.0"


async def test_who_reads_further_up_stays_there_while_the_answer_grows() -> None:
    """Whoever is at the end sees the end."""
    app = Reading(entries(20))
    async with app.run_test(size=(60, 20)) as pilot:
        await all_made(app, pilot, 100)
        last = app.transcript.entries[-1]
        last.text += "\nmore"
        app.transcript.changed(last)
        await pilot.pause()
        assert seen(app)[-2] == "▌ more"
        app.transcript.scroll_to(y=10, animate=False, immediate=True)
        before = seen(app)
        last.text += "\nand more"
        app.transcript.changed(last)
        await pilot.pause()
        assert seen(app) == before


async def test_another_width_lays_out_anew() -> None:
    """Lines are as wide as there is room for, and the end stays in view."""
    app = Reading([Entry(Kind.USER, "word " * 100, name="You")])
    async with app.run_test(size=(60, 40)) as pilot:
        await pilot.pause()
        before = app.transcript.virtual_size.height
        await pilot.resize_terminal(30, 40)
        await until(lambda: app.transcript.virtual_size.height > before, within_s=30)
        assert max(len(line) for line in seen(app)) <= 30


async def test_a_message_is_chosen_and_something_done_with_it() -> None:
    """Keys act on the chosen one and on nothing else; what is typed otherwise is written elsewhere."""
    app = Reading(entries(5))
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.pause()
        await pilot.press("y")
        for by in (-1, -1, -1, 1, -9, 9, -1):
            app.transcript.step(by)
        await pilot.press("y", "Y", "e", "b", "space", "x", "Z")
        assert app.asked == [(what, "3.0\n3.1\n3.2") for what in ("copy", "copy_code", "edit", "branch", "fold")]
        assert app.typed == ["x", "Z"]
        assert any(line.startswith("┃ 3.0") for line in seen(app))


async def test_a_click_chooses_and_unfolds() -> None:
    """A click on the line of folded thoughts asks for them."""
    app = Reading([Entry(Kind.ASSISTANT, "Yes.", thinking="one two", name="m")])
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.pause()
        await pilot.click(Transcript, offset=(4, 2))
        assert app.transcript.chosen is app.transcript.entries[0]
        assert app.asked == []
        await pilot.click(Transcript, offset=(4, 1))
        await pilot.pause()
        assert app.asked == [("fold", "Yes.")]


async def test_a_text_is_found_line_by_line_upwards() -> None:
    """Whatever the case, round and round; what is not there is said."""
    app = Reading(entries(300))
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.pause()
        places = []
        for _ in range(3):
            assert app.transcript.find("99.1")
            places.append(app.transcript.scroll_y)
        assert places[0] > places[1] > places[2]
        assert not app.transcript.find("nowhere")
        assert not app.transcript.find("")


async def test_entries_come_and_go() -> None:
    """What is dropped is not shown any more, wherever it stood."""
    app = Reading(entries(3))
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.pause()
        first, second, third = app.transcript.entries
        app.transcript.choose(second)
        app.transcript.drop(second)
        assert (app.transcript.entries, app.transcript.chosen) == ([first, third], None)
        app.transcript.add(Entry(Kind.NOTE, "Gone."))
        await pilot.pause()
        assert "! Gone." in seen(app)
        assert not any("1.0" in line for line in seen(app))


async def test_selected_text_can_be_copied() -> None:
    """What the mouse is drawn over is what is copied."""
    app = Reading(entries(2))
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.pause()
        await pilot.mouse_down(Transcript, offset=(2, 1))
        await pilot.hover(Transcript, offset=(4, 2))
        await pilot.mouse_up(Transcript, offset=(5, 2))
        await pilot.pause()
        assert app.screen.get_selected_text() == "0.0\n▌ 0.1"


@pytest.mark.parametrize("name", ["terminal", "daylight"])
async def test_it_wears_any_theme(name: str) -> None:
    """The same words in other colours, at the same place."""
    app = Reading(entries(50))
    async with app.run_test(size=(60, 20)) as pilot:
        await all_made(app, pilot, 250)
        app.transcript.scroll_to(y=100, animate=False, immediate=True)
        before = seen(app)
        app.transcript.wear(Look(Themes().load(name)))
        await all_made(app, pilot, 250)
        assert seen(app) == before
