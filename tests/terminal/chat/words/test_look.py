"""How words look in a theme."""

from pygments.token import Comment, Name, Token
from rich.text import Text

from vllm_gateway.terminal.chat.words.look import CodeColors, Look
from vllm_gateway.terminal.themes import Themes


def test_code_has_the_colours_of_the_theme() -> None:
    """A kind without a colour has that of the nearest above it; the background is left alone."""
    palette = Themes().load("harbour")
    colors = CodeColors(palette)
    assert colors.get_style_for_token(Comment.Single) == colors.get_style_for_token(Comment)
    assert colors.get_style_for_token(Name.Variable.Magic) == colors.get_style_for_token(Token)
    assert colors.get_style_for_token(Token).color is not None
    assert colors.get_background_style().bgcolor is None


def test_every_theme_can_be_worn() -> None:
    """The terminal's own colours, too, whose names are not those of a screen with millions."""
    themes = Themes()
    for name in themes.names():
        assert [strip.text for strip in Look(themes.load(name)).lines(Text("one two"), 4)] == ["one ", "two"]
