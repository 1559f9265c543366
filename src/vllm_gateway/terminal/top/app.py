"""`vllm-gateway top`, drawn with Textual."""

import asyncio
import contextlib
import signal
from collections.abc import Mapping
from dataclasses import replace
from datetime import tzinfo
from typing import Any, ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.timer import Timer
from textual.widgets import Input
from typing_extensions import override

from vllm_gateway.clock import Clock
from vllm_gateway.terminal import slow_terminal
from vllm_gateway.terminal.themes import Themes
from vllm_gateway.terminal.themes.chooser import ThemeChooser
from vllm_gateway.terminal.themes.wearing import LOOK_S, Wardrobe
from vllm_gateway.terminal.top.asking import Confirm, Help
from vllm_gateway.terminal.top.bars import Status, paint_fault, paint_header, paint_keys
from vllm_gateway.terminal.top.boxes.table import row_at
from vllm_gateway.terminal.top.canvas import Canvas
from vllm_gateway.terminal.top.feed import Feed, NoFleet
from vllm_gateway.terminal.top.glyphs import PLAIN, UNICODE, Glyphs
from vllm_gateway.terminal.top.history import History
from vllm_gateway.terminal.top.ink import drawable
from vllm_gateway.terminal.top.layout import PRESETS, Place, laid_out, outlined, painted
from vllm_gateway.terminal.top.picture import Picture, ReplicaRow, RequestRow
from vllm_gateway.terminal.top.scene import Cursor, Scene, key_of
from vllm_gateway.terminal.top.view import SORTS, View

_PACES_S = (0.5, 1.0, 2.0, 5.0, 10.0)
_PAGE = 10


class Top(App[None]):
    """A fleet, live."""

    TITLE = "vllm-gateway top"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Canvas { width: 100%; height: 100%; }
    Input { dock: bottom; height: 1; border: none; padding: 0 1; background: $panel; color: $text; display: none; }
    Input.-asked { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,ctrl+q", "quit", "quit", id="top.quit"),
        *(Binding(str(number), f"preset({number})", name) for number, (name, _) in PRESETS.items()),
        Binding("p", "next_preset", "the next preset", id="top.next-preset"),
        Binding("up,k", "mark(-1)", "mark the row above", id="top.up"),
        Binding("down,j", "mark(1)", "mark the row below", id="top.down"),
        Binding("pageup", f"mark(-{_PAGE})", "mark a row further up", id="top.page-up"),
        Binding("pagedown", f"mark({_PAGE})", "mark a row further down", id="top.page-down"),
        Binding("home,g", "mark(-1000000)", "mark the first row", id="top.first"),
        Binding("end,G", "mark(1000000)", "mark the last row", id="top.last"),
        Binding("s", "sort", "sort by the next column", id="top.sort"),
        Binding("i", "turn_over", "turn the order over", id="top.turn-over"),
        Binding("slash,f", "filter", "filter", id="top.filter"),
        Binding("escape", "show_all", "show all", id="top.show-all"),
        Binding("space", "pause", "pause", id="top.pause"),
        Binding("d", "drain", "drain the marked replica", id="top.drain"),
        Binding("r", "resume", "let the marked replica be asked again", id="top.resume"),
        Binding("x", "stop_request", "stop the marked request", id="top.stop"),
        Binding("t", "theme", "choose a theme", id="top.theme"),
        Binding("plus,equals_sign", "pace(-1)", "look more often", id="top.more-often"),
        Binding("minus", "pace(1)", "look less often", id="top.less-often"),
        Binding("ctrl+l", "redraw", "draw everything anew", id="top.redraw"),
        Binding("question_mark,f1,h", "help", "help", id="top.help"),
    ]

    def __init__(
        self,
        feed: Feed,
        *,
        clock: Clock,
        theme: str = "system",
        themes: Themes | None = None,
        has_background: bool = True,
        every_s: float = 1.0,
        preset: int = 1,
        keys: Mapping[str, str] | None = None,
        glyphs: Glyphs = UNICODE,
        zone: tzinfo | None = None,
    ) -> None:
        """Watch what `feed` tells.

        Args:
            feed: The gateway.
            clock: Tells the time of pictures.
            theme: Name of a theme; raises `ThemeUnknown` when there is none.
            themes: What there is to choose from.
            has_background: Whether the theme's background is drawn.
            every_s: Seconds between two pictures.
            preset: Which boxes are shown in the beginning.
            keys: Other keys, by the id of what they do.
            glyphs: What the terminal can draw.
            zone: Whose times of day are shown; None: the machine's.
        """
        super().__init__()
        self.set_keymap(keys or {})
        self._feed = feed
        self._clock = clock
        self._glyphs = PLAIN if self.no_color and glyphs is UNICODE else glyphs
        self._zone = zone
        self._wardrobe = Wardrobe(
            self, theme, themes=themes, has_background=has_background, worn=lambda _: self._draw()
        )
        self._status = Status(feed.url, every_s, preset)
        self._view = View()
        self._picture: Picture | None = None
        self._taken = clock.wall()
        self._history = History()
        self._cursors: dict[str, Cursor] = {}
        self._timer: Timer | None = None
        self._is_looking = False

    @override
    def compose(self) -> ComposeResult:
        yield Canvas()
        yield Input(placeholder="filter: words that a row must hold", compact=True)

    async def on_mount(self) -> None:
        """Begin."""
        self._wardrobe.dress()
        self.query_one(Canvas).focus()
        self.set_interval(LOOK_S, self._wardrobe.look)
        self.set_interval(slow_terminal.LOOK_S, slow_terminal.Patience(self).look)
        with contextlib.suppress(NotImplementedError, RuntimeError, AttributeError):  # Windows, or another thread
            asyncio.get_running_loop().add_signal_handler(signal.SIGUSR2, self._wardrobe.read_again)
        self._keep_looking()
        self._look_soon()

    def on_unmount(self) -> None:
        """Leave the process as it was."""
        with contextlib.suppress(NotImplementedError, RuntimeError, AttributeError):
            asyncio.get_running_loop().remove_signal_handler(signal.SIGUSR2)

    def action_preset(self, number: int) -> None:
        """Show other boxes."""
        self._status = replace(self._status, preset=number)
        shown = self._boxes()
        if self._view.focus not in shown:
            self._view = replace(self._view, focus=shown[0])
        self._draw()

    def action_next_preset(self) -> None:
        """Show the boxes of the next preset."""
        self.action_preset(self._status.preset % len(PRESETS) + 1)

    def action_next_box(self, step: int) -> None:
        """Let keys be for another box."""
        shown = self._boxes()
        self._view = replace(self._view, focus=shown[(shown.index(self._view.focus) + step) % len(shown)])
        self._draw()

    def action_mark(self, step: int) -> None:
        """Mark another row."""
        self._mark(self._view.focus, step)

    def action_sort(self) -> None:
        """Sort by the next column."""
        self._view = self._view.sorted_by_next()
        self._draw()

    def action_turn_over(self) -> None:
        """Sort the other way round."""
        self._view = self._view.turned_over()
        self._draw()

    def action_filter(self) -> None:
        """Ask for words."""
        words = self.query_one(Input)
        words.add_class("-asked")
        words.value = self._view.words
        words.focus()

    def action_show_all(self) -> None:
        """Leave the filter, and show all rows."""
        self.query_one(Input).value = ""
        self._filter("")
        self._leave_filter()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while it is typed."""
        if event.input.has_class("-asked"):
            self._filter(event.value)

    def on_input_submitted(self, _: Input.Submitted) -> None:
        """Keep the filter."""
        self._leave_filter()

    def action_pause(self) -> None:
        """Stand still, or go on."""
        self._view = replace(self._view, is_paused=not self._view.is_paused)
        self._draw()
        if not self._view.is_paused:
            self._look_soon()

    def action_pace(self, step: int) -> None:
        """Look more or less often."""
        nearest = min(range(len(_PACES_S)), key=lambda at: abs(_PACES_S[at] - self._status.every_s))
        at = min(max(nearest + step, 0), len(_PACES_S) - 1)
        self._status = replace(self._status, every_s=_PACES_S[at])
        self._keep_looking()
        self._draw()

    def action_redraw(self) -> None:
        """Draw everything anew."""
        self.refresh(repaint=True, layout=True)

    async def action_theme(self) -> None:
        """Let a theme be chosen."""
        await self.push_screen(ThemeChooser(self._wardrobe))

    async def action_help(self) -> None:
        """Say what the keys do."""
        await self.push_screen(Help())

    async def action_drain(self) -> None:
        """Let nothing new go to the marked replica, if that is wanted."""
        row = self._marked_replica()
        if row is not None:
            rest = f"{row.asked} requests that it is answering go on." if row.asked else "It is answering nothing now."
            await self._confirmed("drain", f"Drain {row.name}? Nothing new goes there. {rest}", row.name)

    async def action_resume(self) -> None:
        """Let the marked replica be asked again, if that is wanted."""
        row = self._marked_replica()
        if row is not None:
            await self._confirmed("resume", f"Let {row.name} be asked again?", row.name)

    async def action_stop_request(self) -> None:
        """Stop the marked request, if that is wanted."""
        row = self._scene().marked("requests") if self._view.focus == "requests" else None
        if not isinstance(row, RequestRow):
            self.notify("Mark a request first: tab goes to the requests.", severity="warning")
            return
        sentence = f"Stop request {row.id} of {row.caller or 'somebody'} on {row.replica or 'no replica yet'}?"
        await self._confirmed("stop", f"{sentence} Its caller gets an error.", row.id)

    def on_canvas_resized(self, _: Canvas.Resized) -> None:
        """Fill the room that there is."""
        self._draw()

    def on_canvas_touched(self, event: Canvas.Touched) -> None:
        """Mark what was clicked on."""
        place = next((each for each in self._places() if each.holds(event.x, event.y - 1)), None)
        if place is None or place.box not in SORTS:
            return
        if event.turned:
            self._mark(place.box, event.turned)
            return
        self._view = replace(self._view, focus=place.box)
        rows = self._scene().rows(place.box)
        cursor = self._cursors.get(place.box, Cursor())
        at = row_at(event.y - 1 - place.y, cursor.place(rows), len(rows), place.height)
        if at is not None:
            self._cursors[place.box] = Cursor(at, key_of(rows[at]))
        self._draw()

    def _mark(self, box: str, step: int) -> None:
        rows = self._scene().rows(box)
        if rows:
            at = self._cursors.get(box, Cursor()).place(rows) + step
            at = min(max(at, 0), len(rows) - 1)
            self._cursors[box] = Cursor(at, key_of(rows[at]))
        self._draw()

    def _marked_replica(self) -> ReplicaRow | None:
        row = self._scene().marked("replicas") if self._view.focus == "replicas" else None
        if not isinstance(row, ReplicaRow):
            self.notify("Mark a replica first: tab goes to the replicas.", severity="warning")
            return None
        return row

    async def _confirmed(self, order: str, sentence: str, name: str) -> None:
        """Ask, and do it when the answer is yes."""

        def answered(is_wanted: bool | None) -> None:  # noqa: FBT001 - it is the answer
            if is_wanted:
                self.run_worker(self._do(order, name), group="orders")

        await self.push_screen(Confirm(order, sentence), answered)

    async def _do(self, order: str, name: str) -> None:
        try:
            await getattr(self._feed, order)(name)
        except NoFleet as fault:
            self.notify(str(fault), severity="error", markup=False)
        else:
            self.notify(f"{order}: {name}", markup=False)
        await self._look()

    def _filter(self, words: str) -> None:
        self._view = replace(self._view, words=words)
        self._draw()

    def _leave_filter(self) -> None:
        self.query_one(Input).remove_class("-asked")
        self.query_one(Canvas).focus()

    def _keep_looking(self) -> None:
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_interval(self._status.every_s, self._look_soon)

    def _look_soon(self) -> None:
        if not self._view.is_paused and not self._is_looking:
            self._is_looking = True
            self.run_worker(self._look(), group="look")

    async def _look(self) -> None:
        try:
            picture = await self._feed.look()
        except NoFleet as fault:
            self._status = replace(self._status, fault=str(fault))
        else:
            self._status = replace(self._status, fault=None)
            self._picture, self._taken = picture, self._clock.wall()
            self._history.take(picture)
        finally:
            self._is_looking = False
        self._draw()

    def _boxes(self) -> list[str]:
        """Return the boxes on the screen that have rows."""
        return [each.box for each in self._places() if each.box in SORTS] or ["replicas"]

    def _places(self) -> list[Place]:
        """Return where the boxes are, below the first line."""
        size = self.query_one(Canvas).size
        return laid_out(self._status.preset, size.width, max(size.height - 2, 1))

    def _scene(self) -> Scene:
        return Scene(
            picture=self._picture or Picture(),
            palette=self._wardrobe.palette,
            glyphs=self._glyphs,
            wall=self._taken,
            view=self._view,
            history=self._history,
            cursors=self._cursors,
            zone=self._zone,
        )

    def _draw(self) -> None:
        """Show what there is now."""
        if not self.is_running or not self.screen_stack:
            return
        canvas: Any = next(iter(self.screen_stack[0].query(Canvas)), None)
        if canvas is None or not canvas.size.height:
            return
        scene, width, room = self._scene(), canvas.size.width, max(canvas.size.height - 2, 1)
        places = laid_out(self._status.preset, width, room)
        status = self._status
        if self._picture is not None:
            middle = painted(scene, places, room)
        elif (fault := status.fault) is not None:
            status, middle = replace(status, fault=None), paint_fault(scene, fault, width, room)
        else:
            middle = outlined(scene, places, room)
        lines = [paint_header(scene, status, width), *middle, paint_keys(scene, width)]
        canvas.show(drawable(lines, self._glyphs), ground=scene.palette.background)
