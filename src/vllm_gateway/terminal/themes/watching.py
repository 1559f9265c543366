"""Whether the files of a theme have changed: by name, not by open file, because desktops replace whole folders."""

from collections.abc import Sequence
from pathlib import Path

Mark = tuple[int, int, int] | None
"""What tells one state of a file from another: when it was written, its size, which one it is. None: there is none."""


class Watched:
    """Remembers how files were."""

    def __init__(self, paths: Sequence[Path] = ()) -> None:
        self._marks = _marks(paths)

    def has_changed(self, paths: Sequence[Path]) -> bool:
        """Say whether these files are not those of last time, or not as they were then."""
        marks = _marks(paths)
        changed = marks != self._marks
        self._marks = marks
        return changed


def _marks(paths: Sequence[Path]) -> dict[Path, Mark]:
    return {path: _mark(path) for path in paths}


def _mark(path: Path) -> Mark:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
