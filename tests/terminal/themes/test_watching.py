"""Whether the files of a theme have changed."""

import os
from pathlib import Path

from vllm_gateway.terminal.themes.watching import Watched


def test_what_is_written_or_replaced_has_changed(tmp_path: Path) -> None:
    """Once; so have what appears, what goes, and a folder that another one takes the place of."""
    path = tmp_path / "now" / "btop.theme"
    watched = Watched([path])
    assert not watched.has_changed([path])
    (tmp_path / "now").mkdir()
    path.write_text("a", encoding="utf-8")
    assert watched.has_changed([path])
    assert not watched.has_changed([path])
    os.utime(path, ns=(1, 1))
    assert watched.has_changed([path])
    (tmp_path / "next").mkdir()
    (tmp_path / "next" / "btop.theme").write_text("b", encoding="utf-8")
    (tmp_path / "now").rename(tmp_path / "old")
    (tmp_path / "next").rename(tmp_path / "now")
    assert watched.has_changed([path])
    path.unlink()
    assert watched.has_changed([path])


def test_other_files_are_a_change(tmp_path: Path) -> None:
    """Another theme was chosen, or the desktop names another file."""
    watched = Watched([tmp_path / "a"])
    assert watched.has_changed([tmp_path / "b"])
