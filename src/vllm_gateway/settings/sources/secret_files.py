"""Files that hold secrets: those that variables name, `.env` where it has some, the keys.

Of the settings file this is asked when it is read (`exposed.py`).
"""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from vllm_gateway.settings.model import Settings
from vllm_gateway.settings.sources.variables import Unreadable, file_text
from vllm_gateway.settings.state_folder import state_folder

_BEHIND = "_FILE"
_PREFIX = "GATEWAY_"
_SECRET = re.compile(r"^(export )?\w*(KEY|TOKEN|SECRET|PASSWORD|REDIS_URL|DATABASE_URL)\w*\s*=\s*[^\s#]", re.MULTILINE)


def secret_files_here(settings: Settings) -> list[Path]:
    """Return those of this process: its environment and its directory."""
    environment = os.environ  # noqa: TID251 - the settings are what reads the environment
    return list(secret_files(settings, environment, Path.cwd()))


def secret_files(settings: Settings, environment: Mapping[str, str], directory: Path) -> Iterator[Path]:
    """Yield the files that hold secrets and are there, or are out of reach."""
    named = [text for name, text in environment.items() if name.startswith(_PREFIX) and name.endswith(_BEHIND)]
    keys = settings.auth.keys_file
    places = [
        *([directory / ".env"] if _holds_secrets(directory / ".env") else []),
        *(directory / name for name in named),
        Path(keys).expanduser() if keys else state_folder(environment) / "keys.yaml",
    ]
    yield from (place for place in dict.fromkeys(places) if _may_be_there(place))


def _may_be_there(path: Path) -> bool:
    """Say whether a file is there; one in a folder that is closed to us may be."""
    try:
        return path.is_file()
    except OSError:
        return True


def _holds_secrets(path: Path) -> bool:
    try:
        return _SECRET.search(file_text(path)) is not None
    except Unreadable:
        return False
