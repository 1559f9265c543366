"""The folder in which programs of this user keep what must survive a restart."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path, PurePath


def state_folder(environment: Mapping[str, str] | None = None, platform: str = sys.platform) -> Path:
    """Return the gateway's own folder among them, by the custom of the platform; it need not exist yet."""
    if environment is None:
        environment = os.environ  # noqa: TID251 - the settings are what reads the environment
    return _users(environment, platform) / "vllm-gateway"


def _users(environment: Mapping[str, str], platform: str) -> Path:
    if platform == "darwin":
        return _home() / "Library" / "Application Support"
    name, usual = ("LOCALAPPDATA", "AppData/Local") if platform == "win32" else ("XDG_STATE_HOME", ".local/state")
    named = environment.get(name, "")
    return Path(named) if PurePath(named).is_absolute() else _home() / usual


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:  # a container may run as a user that nobody knows
        return Path.cwd()
