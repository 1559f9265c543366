"""A theme, understood: every colour as the terminal is told it, gradients of 101 steps, and text that can be read."""

from collections.abc import Mapping
from dataclasses import dataclass

from vllm_gateway.terminal.themes.btop_file import DEFAULTS, FALLBACKS, GRADIENTS
from vllm_gateway.terminal.themes.colors import (
    BLACK,
    READABLE,
    WHITE,
    Rgb,
    contrast,
    luminance,
    mixed,
    read_color,
    readable,
    written,
)

STEPS = 101
_HALF = 50
_MIDDLE = 0.5
_EVEN = 0.18
"""On a ground as bright as this, black and white can be read equally well."""
_RAISED = 0.06
_MUTED = 0.45
"""How much of the background muted text has in it, if it can still be read then."""

Gradient = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of one theme: `#rrggbb`, or names of the terminal's own; `default` is what the terminal has."""

    name: str
    colors: Mapping[str, str]
    """By btop's keys, as the theme has them. For lines, boxes and meters; not all of them can be read."""
    gradients: Mapping[str, Gradient]
    """101 colours each, by per cent, as the theme has them."""
    text: str
    muted: str
    title: str
    raised: str
    """Behind what lies on top of the rest: headers, menus; close to the background."""
    hot: str
    """Keys that can be pressed, and what is to be seen first."""
    good: str
    warn: str
    bad: str
    selected: str
    """Text on `selected_bg`."""
    values: Mapping[str, Gradient]
    """The gradients, as far as needed brighter or darker, so that numbers in these colours can be read."""
    is_dark: bool = True
    is_ansi: bool = False
    """Its colours are the terminal's own 16, whatever they look like there."""

    @property
    def background(self) -> str:
        """What is behind everything."""
        return self.colors["main_bg"]


def make_palette(name: str, theme: Mapping[str, str], *, has_background: bool = True) -> Palette:
    """Return the palette of a theme file's keys; what is missing or makes no sense is that of btop's default theme.

    Without `has_background` the terminal's own background shows. It is taken for black where the text is bright, and
    for white where it is dark.
    """
    colors = _colors(theme)
    if not has_background:
        colors["main_bg"] = None
    text = colors["main_fg"] or WHITE
    ground = colors["main_bg"] or (BLACK if luminance(text) > _MIDDLE else WHITE)
    text = readable(text, ground)
    raised = mixed(ground, text, _RAISED)
    if contrast(text, raised) < READABLE:
        raised = ground

    def clear(color: Rgb | None) -> str:
        return written(readable(readable(color or text, ground), raised))

    gradients = {each: _gradient(*(colors[f"{each}_{part}"] for part in ("start", "mid", "end"))) for each in GRADIENTS}
    load = gradients["cpu"]
    return Palette(
        name=name,
        colors={key: "default" if color is None else written(color) for key, color in colors.items()},
        gradients={each: tuple(map(written, steps)) for each, steps in gradients.items()},
        text=written(text),
        muted=clear(mixed(text, ground, _MUTED)),
        title=clear(colors["title"]),
        raised=written(raised),
        hot=clear(colors["hi_fg"]),
        good=clear(load[0]),
        warn=clear(load[_HALF]),
        bad=clear(load[-1]),
        selected=written(readable(colors["selected_fg"] or text, colors["selected_bg"] or ground)),
        values={each: tuple(map(clear, steps)) for each, steps in gradients.items()},
        is_dark=luminance(ground) < _EVEN,
    )


def _colors(theme: Mapping[str, str]) -> dict[str, Rgb | None]:
    """Return every key's colour; None where the theme wants none, as it may for a background and ends of gradients."""
    colors: dict[str, Rgb | None] = {}
    for key, default in DEFAULTS.items():
        value = theme.get(key)
        if value == "" and (key == "main_bg" or key.endswith(("_mid", "_end"))):
            colors[key] = None
        elif value is not None and (color := read_color(value)) is not None:
            colors[key] = color
        elif key not in FALLBACKS:
            colors[key] = read_color(default)
    if "process_start" in colors:
        for part in ("process_mid", "process_end"):
            colors.setdefault(part, None)
    for key, stand_in in FALLBACKS.items():
        if key not in colors or (key.startswith("process_") and "process_start" not in theme):
            colors[key] = colors[stand_in]
    return colors


def _gradient(start: Rgb | None, middle: Rgb | None, end: Rgb | None) -> tuple[Rgb, ...]:
    """Return 101 colours from the start by the middle to the end; without an end all are the start."""
    start = start or BLACK
    if end is None:
        return (start,) * STEPS
    if middle is None:
        return tuple(_between(start, end, step, STEPS - 1) for step in range(STEPS))
    rise = [_between(start, middle, step, _HALF) for step in range(_HALF + 1)]
    return (*rise, *(_between(middle, end, step, _HALF) for step in range(1, _HALF + 1)))


def _between(one: Rgb, other: Rgb, step: int, steps: int) -> Rgb:
    """Return a colour on the way, in whole numbers that are cut off as btop does it."""
    red, green, blue = (a + int(step * (b - a) / steps) for a, b in zip(one, other, strict=True))
    return red, green, blue
