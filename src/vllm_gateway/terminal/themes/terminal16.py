"""The theme `terminal`: the 16 colours that the user's terminal has, for those who have chosen them with care."""

from collections.abc import Mapping

from vllm_gateway.terminal.themes.btop_file import GRADIENTS
from vllm_gateway.terminal.themes.palette import STEPS, Gradient, Palette

NAME = "terminal"

_COLORS: Mapping[str, str] = {
    "main_bg": "default",
    "main_fg": "default",
    "title": "default",
    "hi_fg": "bright_red",
    "selected_bg": "blue",
    "selected_fg": "bright_white",
    "inactive_fg": "bright_black",
    "graph_text": "bright_black",
    "meter_bg": "bright_black",
    "proc_misc": "bright_green",
    "cpu_box": "green",
    "mem_box": "yellow",
    "net_box": "magenta",
    "proc_box": "red",
    "div_line": "bright_black",
    "proc_pause_bg": "red",
    "proc_follow_bg": "blue",
    "proc_banner_bg": "magenta",
    "proc_banner_fg": "bright_white",
    "followed_bg": "blue",
    "followed_fg": "bright_white",
}
_STEPS: Mapping[str, tuple[str, ...]] = {
    "temp": ("bright_blue", "bright_cyan", "bright_magenta"),
    "cpu": ("bright_green", "bright_yellow", "bright_red"),
    "free": ("green", "bright_green"),
    "cached": ("cyan", "bright_cyan"),
    "available": ("yellow", "bright_yellow"),
    "used": ("red", "bright_red"),
    "download": ("blue", "bright_blue"),
    "upload": ("magenta", "bright_magenta"),
    "process": ("green", "yellow", "red"),
}


def terminal_palette(name: str = NAME) -> Palette:
    """Return it. Text is in the terminal's own colour, so it can be read as well as anything there."""
    gradients = {each: _stepped(_STEPS[each]) for each in GRADIENTS}
    ends = {f"{each}_{part}": color for each in GRADIENTS for part, color in _parts(_STEPS[each])}
    return Palette(
        name=name,
        colors={**_COLORS, **ends},
        gradients=gradients,
        text="default",
        muted="default",
        title="default",
        raised="default",
        hot="bright_red",
        good="green",
        warn="yellow",
        bad="red",
        selected="bright_white",
        values=gradients,
        is_ansi=True,
    )


def _stepped(colors: tuple[str, ...]) -> Gradient:
    """Return 101 steps without anything in between: up to 33, 66 and 100 where there are three, up to 50 of two."""
    ends = (33, 66, 100) if len(colors) == 3 else (50, 100)  # noqa: PLR2004 - a start, a middle and an end
    steps = [color for color, end, begin in zip(colors, ends, (-1, *ends), strict=False) for _ in range(end - begin)]
    return tuple(steps[:STEPS])


def _parts(colors: tuple[str, ...]) -> list[tuple[str, str]]:
    middle = colors[1] if len(colors) == 3 else "default"  # noqa: PLR2004 - as above
    return [("start", colors[0]), ("mid", middle), ("end", colors[-1])]
