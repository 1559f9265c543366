"""The folders in which programs of this user keep what the user has chosen, and what they have come to."""

import os
from collections.abc import Mapping
from pathlib import Path, PurePath


def config_home(environment: Mapping[str, str] | None = None) -> Path:
    """Return the folder of all programs' settings: XDG_CONFIG_HOME, or `~/.config`."""
    return _named("XDG_CONFIG_HOME", ".config", environment)


def state_home(environment: Mapping[str, str] | None = None) -> Path:
    """Return the folder of all programs' state: XDG_STATE_HOME, or `~/.local/state`."""
    return _named("XDG_STATE_HOME", ".local/state", environment)


def _named(variable: str, usual: str, environment: Mapping[str, str] | None) -> Path:
    if environment is None:
        environment = os.environ  # noqa: TID251 - the settings are what reads the environment
    named = environment.get(variable, "")
    return Path(named) if PurePath(named).is_absolute() else Path("~").expanduser() / usual
