"""A snippet as a file: where that is its own, and never over what somebody else has written."""

from itertools import count
from pathlib import Path

from vllm_gateway.connect.snippet import Snippet


class NotWritten(Exception):
    """The file was left as it is; `str()` of it says why, and what to do."""


def write(snippet: Snippet, *, home: Path, here: Path, force: bool) -> Path:
    """Write the snippet and return where; with `force` a file that is there is kept beside it, with `.before`.

    What was kept earlier stays: a second time it is `.before-2`, and so on.

    Raises:
        NotWritten: there is nothing to write, or something is there already.
    """
    if snippet.file is None:
        raise NotWritten("This one keeps its settings nowhere that can be written. Print it and follow it.")
    path = place_of(snippet, home=home, here=here)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if force and path.exists():
            path.rename(_beside(path))
        with path.open("x", encoding="utf-8") as opened:
            opened.write(snippet.text)
    except FileExistsError:
        raise NotWritten(
            f"{path} is already there. Add the lines by hand, or take --force, which keeps it as {_beside(path).name}."
        ) from None
    except OSError as fault:
        raise NotWritten(f"{path} cannot be written: {fault.strerror}.") from fault
    return path


def place_of(snippet: Snippet, *, home: Path, here: Path) -> Path:
    """Return where the file of a snippet lies: below the home, or in this folder."""
    parts = snippet.file.parts if snippet.file is not None else ()
    return home.joinpath(*parts[1:]) if parts[:1] == ("~",) else here.joinpath(*parts)


def _beside(path: Path) -> Path:
    """Return where a file that is there is kept: a name that nothing has yet."""
    names = (f"{path.name}.before{'' if number == 1 else f'-{number}'}" for number in count(1))
    return next(place for name in names if not (place := path.with_name(name)).exists())
