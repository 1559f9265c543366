"""Puts lines on the screen."""

from textual.app import App, ComposeResult
from textual.geometry import Region
from typing_extensions import override

from vllm_gateway.terminal.top.canvas import Canvas, style_of
from vllm_gateway.terminal.top.ink import Ink, Line, Piece


class Watched(Canvas):
    """Notes which parts of it are drawn anew."""

    def __init__(self) -> None:
        super().__init__()
        self.drawn: list[tuple[Region, ...]] = []

    @override
    def refresh(
        self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False
    ) -> "Watched":
        self.drawn.append(regions)
        super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)
        return self


class Frame(App[None]):
    """Nothing but a canvas."""

    @override
    def compose(self) -> ComposeResult:
        yield Watched()


def lines(*texts: str) -> list[Line]:
    """Return lines in one ink."""
    return [[Piece(text, Ink("#ffffff"))] for text in texts]


async def test_only_lines_that_have_changed_are_drawn() -> None:
    """None, where none has; all, where there are more of them or the background is another."""
    app = Frame()
    async with app.run_test(size=(10, 3)):
        canvas = app.query_one(Watched)
        canvas.show(lines("a", "b", "c"), ground="#000000")
        canvas.drawn.clear()
        canvas.show(lines("a", "x", "c"), ground="#000000")
        canvas.show(lines("a", "x", "c"), ground="#000000")
        assert canvas.drawn == [(Region(0, 1, 10, 1),)]
        canvas.show(lines("a", "x", "c"), ground="#111111")
        canvas.show(lines("a", "x"), ground="#111111")
        assert canvas.drawn[1:] == [(), ()]


async def test_a_line_is_drawn_with_its_inks() -> None:
    """On the background, unless it has a ground of its own; lines that are not there are blank."""
    app = Frame()
    async with app.run_test(size=(10, 3)):
        canvas = app.query_one(Watched)
        canvas.show([[Piece("ab", Ink("#ffffff")), Piece("c", Ink("#ff0000", "#00ff00"))]], ground="#000011")
        strip = canvas.render_line(0)
        assert strip.text == "abc"
        assert [segment.style.bgcolor.name for segment in strip if segment.style and segment.style.bgcolor] == [
            "#000011",
            "#00ff00",
        ]
        assert canvas.render_line(1).text == " " * 10


def test_inks_are_rich_styles() -> None:
    """The terminal's own background is left alone."""
    style = style_of(Ink("bright_red", is_bold=True), "default")
    assert style.bold
    assert style.color is not None
    assert style.color.name == "bright_red"
    assert style.bgcolor is not None
    assert style.bgcolor.is_default
