"""Themes by name: `system`, `terminal`, our own, the user's, btop's."""

import difflib
from pathlib import Path

from vllm_gateway.terminal.themes.btop_file import read_theme
from vllm_gateway.terminal.themes.palette import Palette, make_palette
from vllm_gateway.terminal.themes.places import Places, find_file, find_worn, places_here, read_text
from vllm_gateway.terminal.themes.terminal16 import NAME as TERMINAL
from vllm_gateway.terminal.themes.terminal16 import terminal_palette

SYSTEM = "system"
USUAL = "harbour"
"""What is worn when nothing was chosen."""
BTOP = "Default"
_TTY = "TTY"
"""What btop calls the terminal's own colours."""
_OWN = Path(__file__).parent / "own"


class ThemeUnknown(Exception):
    """There is no theme of this name; the text says so, and which are close."""


class Themes:
    """The themes that can be chosen here and now; nothing is kept, so that changes are seen."""

    def __init__(self, places: Places | None = None) -> None:
        self._places = places or places_here()

    def names(self) -> list[str]:
        """Return every name: what follows the surroundings, our own, then the files that were found."""
        own = sorted(path.stem for path in _OWN.glob("*.theme"))
        found = {path.stem for folder in self._places.theme_folders for path in folder.glob("*.theme")}
        return [SYSTEM, TERMINAL, *own, BTOP, *sorted(found - {*own, BTOP}, key=str.lower)]

    def load(self, name: str, *, has_background: bool = True) -> Palette:
        """Return the colours of a theme.

        Args:
            name: Its name, or the path of a theme file.
            has_background: Whether the theme's background is drawn; otherwise the terminal's own shows.

        Raises:
            ThemeUnknown: there is none of this name.
        """
        if name == SYSTEM:
            return self._system(has_background=has_background)
        if name in {TERMINAL, _TTY}:
            return terminal_palette(name)
        path = self._file(name)
        text = "" if name == BTOP else read_text(path) if path is not None else None
        if text is None:
            raise ThemeUnknown(self._sentence(name))
        return make_palette(name, read_theme(text), has_background=has_background)

    def watched(self, name: str) -> list[Path]:
        """Return the files on which a theme depends, be they there or not."""
        if name != SYSTEM:
            path = self._file(name)
            return [] if path is None else [path]
        worn = find_worn(self._places)
        path = find_file(worn.theme, self._places) if worn is not None else None
        return [*self._places.desktop_themes, self._places.btop_settings, *([path] if path is not None else [])]

    def _system(self, *, has_background: bool) -> Palette:
        """Return what everything else wears; where nobody says, or what is said is not there, what is usual here."""
        worn = find_worn(self._places)
        if worn is None or worn.theme == SYSTEM:
            return self._renamed(USUAL, has_background=has_background)
        try:
            return self._renamed(worn.theme, has_background=has_background and worn.has_background)
        except ThemeUnknown:
            return self._renamed(USUAL, has_background=has_background)

    def _renamed(self, name: str, *, has_background: bool) -> Palette:
        palette = self.load(name, has_background=has_background)
        return Palette(**{field: getattr(palette, field) for field in Palette.__slots__} | {"name": SYSTEM})

    def _file(self, name: str) -> Path | None:
        """Return the file of a theme: the user's own before ours, so that ours can be changed."""
        own = _OWN / f"{name.removesuffix('.theme')}.theme"
        return find_file(name, self._places) or (own if "/" not in name and own.is_file() else None)

    def _sentence(self, name: str) -> str:
        near = difflib.get_close_matches(name, names := self.names(), n=1, cutoff=0.6)
        others = f"did you mean {near[0]}?" if near else f"there are: {', '.join(names)}."
        return f"There is no theme '{name}'; {others}"
