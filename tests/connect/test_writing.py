"""A snippet as a file."""

from pathlib import Path, PurePosixPath

import pytest

from vllm_gateway.connect.snippet import Snippet
from vllm_gateway.connect.writing import NotWritten, place_of, write

SNIPPET = Snippet("new\n", "it", PurePosixPath("~/.config/it/settings"))


def test_a_file_is_written_where_the_client_looks(tmp_path: Path) -> None:
    """Folders on the way are made."""
    path = write(SNIPPET, home=tmp_path, here=tmp_path / "here", force=False)
    assert path == tmp_path / ".config/it/settings"
    assert path.read_text() == "new\n"


def test_a_file_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    """What stands in it may be the work of years."""
    path = tmp_path / ".config/it/settings"
    path.parent.mkdir(parents=True)
    path.write_text("old\n")
    with pytest.raises(NotWritten, match="--force"):
        write(SNIPPET, home=tmp_path, here=tmp_path, force=False)
    assert path.read_text() == "old\n"


def test_force_keeps_what_was_there_beside_it(tmp_path: Path) -> None:
    """Nothing is lost."""
    path = write(SNIPPET, home=tmp_path, here=tmp_path, force=False)
    path.write_text("old\n")
    write(SNIPPET, home=tmp_path, here=tmp_path, force=True)
    assert path.read_text() == "new\n"
    assert path.with_name("settings.before").read_text() == "old\n"


def test_what_was_kept_first_stays_when_force_is_taken_again(tmp_path: Path) -> None:
    """The first one is the user's own."""
    path = write(SNIPPET, home=tmp_path, here=tmp_path, force=False)
    for number in (1, 2, 3):
        path.write_text(f"old {number}\n")
        write(SNIPPET, home=tmp_path, here=tmp_path, force=True)
    kept = [path.with_name(name).read_text() for name in ("settings.before", "settings.before-2", "settings.before-3")]
    assert kept == ["old 1\n", "old 2\n", "old 3\n"]


def test_a_file_of_a_project_lies_in_this_folder(tmp_path: Path) -> None:
    """Only those that begin with `~` lie in the home."""
    snippet = Snippet("", "it", PurePosixPath(".it/settings"))
    assert place_of(snippet, home=Path("/home"), here=tmp_path) == tmp_path / ".it/settings"


def test_what_has_no_file_is_not_written(tmp_path: Path) -> None:
    """And a folder that cannot be made is told of."""
    with pytest.raises(NotWritten, match="nowhere"):
        write(Snippet("", "it"), home=tmp_path, here=tmp_path, force=False)
    (tmp_path / ".config").touch()
    with pytest.raises(NotWritten, match=r"cannot be written|already there"):
        write(SNIPPET, home=tmp_path, here=tmp_path, force=False)
