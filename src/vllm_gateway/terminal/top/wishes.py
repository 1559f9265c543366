"""How `top` is to look: what `terminal.toml` says of it, and what was said on the command line."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from vllm_gateway.terminal.settings import SettingsMistaken, TerminalSettings
from vllm_gateway.terminal.top.layout import PRESETS

FASTEST_S = 0.1
SLOWEST_S = 3600.0
ACTIONS = (
    "quit",
    "next-preset",
    "next-box",
    "box-before",
    "up",
    "down",
    "page-up",
    "page-down",
    "first",
    "last",
    "sort",
    "turn-over",
    "filter",
    "show-all",
    "pause",
    "drain",
    "resume",
    "stop",
    "theme",
    "more-often",
    "less-often",
    "redraw",
    "help",
)
"""What keys can be given to, in `[keys.top]`."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """How it is to look."""

    url: str | None = None
    """The admin listener; None: where the settings of this machine have it."""
    admin_key: str | None = field(default=None, repr=False)
    preset: int = 1
    every_s: float = 1.0
    theme: str = "system"
    has_background: bool = True
    keys: Mapping[str, str] = field(default_factory=dict)
    """Other keys, by the id of what they do: `top.drain`."""

    def over(self, **said: Any) -> "Wishes":  # noqa: ANN401 - any of the members
        """Return them with what was said in place of what was wished before; None says nothing."""
        return replace(self, **{name: value for name, value in said.items() if value is not None})


_TABLE: Mapping[str, type | tuple[type, ...]] = {
    "url": str,
    "admin_key": str,
    "preset": int,
    "every_s": (int, float),
}
_MEANT = {str: "a text", int: "a whole number", (int, float): "a number"}


def read_wishes(settings: TerminalSettings) -> Wishes:
    """Return what the user's file says.

    Raises:
        SettingsMistaken: something in its `[top]` or `[keys.top]` cannot be, in one sentence.
    """
    for name, value in settings.top.items():
        if name not in _TABLE:
            raise SettingsMistaken(f"nothing is called top.{name}; {_near(name, _TABLE)}")
        if not isinstance(value, _TABLE[name]) or isinstance(value, bool):
            raise SettingsMistaken(f"top.{name} must be {_MEANT[_TABLE[name]]}.")
    wishes = Wishes(theme=settings.color_theme, has_background=settings.theme_background, keys=_keys(settings.keys))
    wishes = wishes.over(**settings.top)
    if wishes.preset not in PRESETS:
        raise SettingsMistaken(f"top.preset must be one of {', '.join(map(str, PRESETS))}.")
    if not FASTEST_S <= wishes.every_s <= SLOWEST_S:
        raise SettingsMistaken(f"top.every_s must be from {FASTEST_S:g} to {SLOWEST_S:g}.")
    return wishes


def _keys(keys: Mapping[str, str]) -> dict[str, str]:
    """Return the keys that are given to what `top` does; those of other programs are theirs to judge."""
    own = {name: given for name, given in keys.items() if name.startswith("top.")}
    for name in own:
        if name.removeprefix("top.") not in ACTIONS:
            raise SettingsMistaken(f"keys.{name} does nothing; {_near(name.removeprefix('top.'), ACTIONS)}")
    return own


def _near(name: str, known: "Mapping[str, object] | tuple[str, ...]") -> str:
    found = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {found[0]}?" if found else f"there are: {', '.join(known)}."
