"""Files that hold secrets, and files that are written."""

from pathlib import Path

import pytest

from vllm_gateway.doctor.files import kept_files, look_at_kept_files, look_at_secret_files
from vllm_gateway.doctor.finding import Level
from vllm_gateway.settings import Settings


def test_a_secret_that_everybody_may_read_is_a_warning(tmp_path: Path) -> None:
    """The cure is a command; a file for its owner only is well."""
    open_file, own_file = tmp_path / "open", tmp_path / "own"
    for path, mode in ((open_file, 0o644), (own_file, 0o600)):
        path.write_text("sesame")
        path.chmod(mode)
    one, other = look_at_secret_files([open_file, own_file, tmp_path / "none"])
    assert (one.level, one.cure) == (Level.WARN, f"Run: chmod 600 {open_file}")
    assert other.level is Level.OK


def test_a_file_that_can_be_made_is_well(tmp_path: Path) -> None:
    """Folders that are not there yet are made by the gateway."""
    settings = Settings.model_validate({"session": {"path": str(tmp_path / "a" / "b" / "s.sqlite")}})
    (found,) = look_at_kept_files(settings)
    assert found.level is Level.OK


def test_a_place_that_is_no_folder_of_ours_is_a_failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whether this user may write is what the system says."""
    monkeypatch.setattr("vllm_gateway.doctor.files.os.access", lambda *_: False)
    settings = Settings.model_validate({"usage": {"backend": "sqlite", "path": str(tmp_path / "u.sqlite")}})
    found = list(look_at_kept_files(settings))
    assert [each.level for each in found] == [Level.FAIL, Level.FAIL]
    assert "usage.path" in found[1].cure


def test_only_files_of_these_settings_count() -> None:
    """Conversations in memory need no file."""
    settings = Settings.model_validate({"session": {"backend": "memory"}})
    assert list(kept_files(settings)) == []


def test_what_cannot_be_looked_at_is_told_and_not_a_fault_of_the_doctor(tmp_path: Path) -> None:
    """Such as what lies in a folder that is closed to this user; a name that is too long is one even for root."""
    out_of_reach = tmp_path / ("x" * 300)
    (found,) = look_at_secret_files([out_of_reach])
    assert found.level is Level.WARN
    assert "File name too long" in found.says
    settings = Settings.model_validate({"session": {"path": str(out_of_reach / "s.sqlite")}})
    (kept,) = look_at_kept_files(settings)
    assert kept.subject == "session.path"
