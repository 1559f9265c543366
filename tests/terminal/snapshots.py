"""Screens as they are kept: SVG files beside the tests, to be looked at by people and compared by tests."""

import re
from pathlib import Path

_ID = re.compile(r"terminal-\d+")
_FONTS = re.compile(r"\s*@font-face \{.*?\}\n", re.DOTALL)


def check_snapshot(path: Path, svg: str) -> None:
    """Compare a screen with the one that is kept; one that is not kept yet is written, and the test fails once.

    To change screens on purpose, delete their files, run the tests twice and look at what has become of them.
    """
    text = _FONTS.sub("", _ID.sub("terminal", svg))
    text = "\n".join(line.rstrip() for line in text.splitlines()) + "\n"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        raise AssertionError(f"{path.name} was not kept yet. It is now: look at it, and run the test again.")
    assert text == path.read_text(encoding="utf-8"), f"The screen is not that of {path.name} any more."
