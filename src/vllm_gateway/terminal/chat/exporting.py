"""A conversation as a file."""

import re
from pathlib import Path

_ODD = re.compile(r"[^\w.-]+")
_MOST_CHARACTERS = 60


def file_name(title: str) -> str:
    """Return a name for the file of a conversation that any system takes."""
    stem = _ODD.sub("-", title).strip("-.")[:_MOST_CHARACTERS].strip("-.")
    return f"{stem or 'chat'}.md"


def written(path: Path, text: bytes) -> Path:
    """Write a new file, beside the one that may have the name already; return where it is.

    Raises:
        OSError: it cannot be written there.
    """
    path = path.expanduser()
    number = 1
    wanted = path
    while True:
        try:
            with wanted.open("xb") as file:
                file.write(text)
        except FileExistsError:
            number += 1
            wanted = path.with_stem(f"{path.stem}-{number}")
        else:
            return wanted
