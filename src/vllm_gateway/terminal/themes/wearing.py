"""An app wears a theme, and changes it when somebody chooses another one or its files change."""

from collections.abc import Callable
from typing import Any

from textual.app import App

from vllm_gateway.terminal.themes.loading import Themes, ThemeUnknown
from vllm_gateway.terminal.themes.palette import Palette
from vllm_gateway.terminal.themes.textual_theme import textual_theme
from vllm_gateway.terminal.themes.watching import Watched

LOOK_S = 1.0
"""How often the files of a theme are looked at; that is one `stat` for each."""


class Wardrobe:
    """The themes of one app.

    Args:
        app: Who wears them.
        name: The theme from the beginning; raises `ThemeUnknown` when there is none of this name.
        themes: What there is to choose from.
        has_background: Whether backgrounds are drawn.
        worn: Is told of every change.
    """

    def __init__(
        self,
        app: App[Any],
        name: str,
        *,
        themes: Themes | None = None,
        has_background: bool = True,
        worn: Callable[[Palette], None] | None = None,
    ) -> None:
        self.themes = themes or Themes()
        self.name = name
        self._app = app
        self._has_background = has_background
        self._worn = worn
        self.palette = self._load(name)
        self._watched = Watched(self.themes.watched(name))

    def dress(self) -> None:
        """Put the first theme on; the app must be there."""
        self._put_on(self.palette)

    def wear(self, name: str) -> None:
        """Change to another theme; raise `ThemeUnknown` when there is none of this name."""
        palette = self._load(name)
        self.name = name
        self._watched = Watched(self.themes.watched(name))
        self._put_on(palette)

    def look(self) -> None:
        """Read the theme again if its files have changed."""
        if self._watched.has_changed(self.themes.watched(self.name)):
            self.read_again()

    def read_again(self) -> None:
        """Read the theme again; where it is not there just now, because it is being replaced, the old one stays."""
        try:
            palette = self._load(self.name)
        except ThemeUnknown:
            return
        if palette != self.palette:
            self._put_on(palette)

    def _load(self, name: str) -> Palette:
        return self.themes.load(name, has_background=self._has_background)

    def _put_on(self, palette: Palette) -> None:
        self.palette = palette
        theme = textual_theme(palette)
        self._app.register_theme(theme)
        self._app.theme = theme.name
        if self._worn is not None:
            self._worn(palette)
