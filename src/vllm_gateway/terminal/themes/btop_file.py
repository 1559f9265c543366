"""btop's theme files: which keys they have, and what stands for those that are missing.

Lines are `theme[key]="value"`. Lines that begin with `#` are comments, quotes may be left out, unknown keys are passed
over, and of two lines with one key the second counts.
"""

import re
from collections.abc import Mapping

DEFAULTS: Mapping[str, str] = {
    "main_bg": "#00",
    "main_fg": "#cc",
    "title": "#ee",
    "hi_fg": "#b54040",
    "selected_bg": "#6a2f2f",
    "selected_fg": "#ee",
    "inactive_fg": "#40",
    "graph_text": "#60",
    "meter_bg": "#40",
    "proc_misc": "#0de756",
    "cpu_box": "#556d59",
    "mem_box": "#6c6c4b",
    "net_box": "#5c588d",
    "proc_box": "#805252",
    "div_line": "#30",
    "temp_start": "#4897d4",
    "temp_mid": "#5474e8",
    "temp_end": "#ff40b6",
    "cpu_start": "#77ca9b",
    "cpu_mid": "#cbc06c",
    "cpu_end": "#dc4c4c",
    "free_start": "#384f21",
    "free_mid": "#b5e685",
    "free_end": "#dcff85",
    "cached_start": "#163350",
    "cached_mid": "#74e6fc",
    "cached_end": "#26c5ff",
    "available_start": "#4e3f0e",
    "available_mid": "#ffd77a",
    "available_end": "#ffb814",
    "used_start": "#592b26",
    "used_mid": "#d9626d",
    "used_end": "#ff4769",
    "download_start": "#291f75",
    "download_mid": "#4f43a3",
    "download_end": "#b0a9de",
    "upload_start": "#620665",
    "upload_mid": "#7d4180",
    "upload_end": "#dcafde",
    "process_start": "#80d0a3",
    "process_mid": "#dcd179",
    "process_end": "#d45454",
    "proc_pause_bg": "#b54040",
    "proc_follow_bg": "#4040b5",
    "proc_banner_bg": "#7b407b",
    "proc_banner_fg": "#ee",
    "followed_bg": "#4040b5",
    "followed_fg": "#ee",
}
"""Every key, with the value of btop's own default theme."""

FALLBACKS: Mapping[str, str] = {
    "meter_bg": "inactive_fg",
    "graph_text": "inactive_fg",
    "process_start": "cpu_start",
    "process_mid": "cpu_mid",
    "process_end": "cpu_end",
}
"""Keys for which another one of the same theme stands in when they are missing."""

GRADIENTS = tuple(key.removesuffix("_start") for key in DEFAULTS if key.endswith("_start"))
"""What there are a start, a middle and an end for."""

_LINE = re.compile(r'^[ \t]*theme\[(\w+)\][ \t]*=[ \t]*(?:"([^"\n]*)"|([^\n]*))', re.MULTILINE)


def read_theme(text: str) -> dict[str, str]:
    """Return the keys that a theme file sets, without those that nobody knows."""
    return {
        key: (quoted or plain).strip()
        for key, quoted, plain in _LINE.findall(text.replace("\r\n", "\n"))
        if key in DEFAULTS
    }


def read_setting(text: str, key: str) -> str | None:
    """Return one value of btop's own settings file; None when it is not set there."""
    found = re.findall(rf'^[ \t]*{re.escape(key)}[ \t]*=[ \t]*"?([^"\n]*)', text.replace("\r\n", "\n"), re.MULTILINE)
    return found[-1].strip() if found else None
