"""How words look in a theme: styles for Markdown and for code, and a console that makes lines of them."""

import io
from collections.abc import Iterable

from pygments.token import (
    Comment,
    Error,
    Generic,
    Keyword,
    Name,
    Number,
    Operator,
    Punctuation,
    String,
    Token,
    _TokenType,
)
from rich.console import Console, RenderableType
from rich.style import Style
from rich.syntax import SyntaxTheme, TokenType
from rich.theme import Theme as RichTheme
from textual.strip import Strip
from typing_extensions import override

from vllm_gateway.terminal.themes import Palette

_TAB_SIZE = 4


class CodeColors(SyntaxTheme):
    """Code in the colours of a palette, all of which can be read on its background."""

    def __init__(self, palette: Palette) -> None:
        of = {
            Token: Style.parse(palette.text),
            Comment: Style.parse(f"italic {palette.muted}"),
            Keyword: Style.parse(f"bold {palette.hot}"),
            Operator: Style.parse(palette.hot),
            Name.Function: Style.parse(palette.title),
            Name.Class: Style.parse(f"bold {palette.title}"),
            Name.Decorator: Style.parse(palette.warn),
            Name.Builtin: Style.parse(palette.title),
            Name.Tag: Style.parse(palette.hot),
            Name.Attribute: Style.parse(palette.warn),
            String: Style.parse(palette.good),
            Number: Style.parse(palette.warn),
            Punctuation: Style.parse(palette.muted),
            Generic.Deleted: Style.parse(palette.bad),
            Generic.Inserted: Style.parse(palette.good),
            Generic.Heading: Style.parse(f"bold {palette.title}"),
            Error: Style.parse(palette.bad),
        }
        self._styles = of

    @override
    def get_style_for_token(self, token_type: TokenType) -> Style:
        """Return the style of the nearest kind that has one."""
        kind: _TokenType | None = token_type  # type: ignore[assignment] # rich calls pygments' kinds tuples, which they are
        while kind is not None and kind not in self._styles:
            kind = kind.parent
        return self._styles[kind or Token]

    @override
    def get_background_style(self) -> Style:
        """Return none: code stands on what is behind everything."""
        return Style()


class Look:
    """All styles of a theme, and a console to make lines with."""

    def __init__(self, palette: Palette) -> None:
        self.palette = palette
        self.code = CodeColors(palette)
        self.text = Style.parse(palette.text)
        self.muted = Style.parse(palette.muted)
        self.title = Style.parse(f"bold {palette.title}")
        self.hot = Style.parse(f"bold {palette.hot}")
        self.bad = Style.parse(palette.bad)
        self.line = Style.parse(palette.colors["div_line"])
        self.found = Style.parse(f"{palette.selected} on {palette.colors['selected_bg']}")
        self._console = Console(
            file=io.StringIO(),
            color_system="truecolor",
            force_terminal=True,
            legacy_windows=False,
            highlight=False,
            markup=False,
            emoji=False,
            tab_size=_TAB_SIZE,
            width=80,
            theme=RichTheme(_markdown(palette)),
        )

    def lines(self, renderable: RenderableType, width: int) -> list[Strip]:
        """Return a renderable as lines of at most `width` columns."""
        options = self._console.options.update(width=width, highlight=False)
        return [Strip(line) for line in self._console.render_lines(renderable, options, pad=False)]


def _markdown(palette: Palette) -> dict[str, str]:
    headings: Iterable[tuple[str, str]] = (
        (f"markdown.h{level}", f"bold{' underline' if level == 1 else ''} {palette.title}") for level in range(1, 8)
    )
    return {
        **dict(headings),
        "markdown.paragraph": palette.text,
        "markdown.text": palette.text,
        "markdown.em": "italic",
        "markdown.emph": "italic",
        "markdown.strong": "bold",
        "markdown.s": "strike",
        "markdown.code": palette.warn,
        "markdown.code_block": palette.text,
        "markdown.block_quote": palette.muted,
        "markdown.list": palette.text,
        "markdown.item": palette.text,
        "markdown.item.bullet": f"bold {palette.hot}",
        "markdown.item.number": f"bold {palette.hot}",
        "markdown.hr": palette.colors["div_line"],
        "markdown.link": f"underline {palette.title}",
        "markdown.link_url": f"underline {palette.title}",
        "markdown.table.border": palette.colors["div_line"],
        "markdown.table.header": f"bold {palette.title}",
        "table.header": f"bold {palette.title}",
    }
