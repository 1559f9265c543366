"""Settings for a command."""

from pathlib import Path

import pytest

from vllm_gateway.cli.loading import loaded_or_told
from vllm_gateway.settings import Assignment


def test_settings_come_from_here(here: Path) -> None:
    """The directory, the environment and the flags of the command are read."""
    (here / "gateway.yaml").write_text("port: 7\ndrain_s: 3\n")
    loaded = loaded_or_told(None, [Assignment(("port",), 8, "flag --port")])
    assert loaded is not None
    assert (loaded.settings.port, loaded.settings.drain_s) == (8, 3)


def test_problems_are_told_and_nothing_is_returned(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each problem is a line on stderr."""
    assert loaded_or_told(here / "none.yaml") is None
    assert capsys.readouterr().err == f"{here / 'none.yaml'}: cannot be read: No such file or directory\n"
