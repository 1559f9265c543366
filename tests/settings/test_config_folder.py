"""The folders of the user's programs."""

from pathlib import Path

import pytest

from vllm_gateway.settings.config_folder import config_home, state_home


@pytest.mark.parametrize(
    ("named", "config", "state"),
    [
        ({}, Path.home() / ".config", Path.home() / ".local/state"),
        ({"XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "/s"}, Path("/c"), Path("/s")),
        ({"XDG_CONFIG_HOME": "c", "XDG_STATE_HOME": ""}, Path.home() / ".config", Path.home() / ".local/state"),
    ],
)
def test_folders_are_where_the_desktop_says(named: dict[str, str], config: Path, state: Path) -> None:
    """A path that is not absolute counts for nothing, as the XDG custom has it."""
    assert (config_home(named), state_home(named)) == (config, state)


def test_without_being_told_the_environment_counts() -> None:
    """It is read when it is asked for."""
    assert config_home().is_absolute()
