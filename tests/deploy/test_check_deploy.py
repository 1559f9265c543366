"""What is told of checks that other programs do."""

import pytest

from scripts import check_deploy


def test_what_cannot_be_checked_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A check that was not made must not look like one that was passed."""
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert check_deploy.main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(check_deploy.CHECKS)
    assert all(line.startswith("NOT CHECKED") for line in lines)


def test_what_is_wrong_ends_with_1(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """And the program's own words stand beside it."""
    monkeypatch.setattr(check_deploy, "CHECKS", (lambda: ("it", False, "line 3 is no good"),))
    assert check_deploy.main() == 1
    assert capsys.readouterr().out == "WRONG        it: line 3 is no good\n"


def test_programs_that_are_here_find_nothing_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    """Which those are is told by `make check-deploy`."""
    assert check_deploy.main() == 0
    assert "WRONG" not in capsys.readouterr().out
