"""Files out of which secrets are read: those that variables name, `.env`, the settings file, the keys."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from vllm_gateway.settings.model import Settings
from vllm_gateway.settings.sources.environment import CONFIG
from vllm_gateway.settings.sources.file import DEFAULT_NAME
from vllm_gateway.settings.state_folder import state_folder

_BEHIND = "_FILE"
_PREFIX = "GATEWAY_"


def secret_files_here(settings: Settings, config: Path | None = None) -> list[Path]:
    """Return those of this process: its environment and its directory."""
    environment = os.environ  # noqa: TID251 - the settings are what reads the environment
    return list(secret_files(settings, config, environment, Path.cwd()))


def secret_files(
    settings: Settings, config: Path | None, environment: Mapping[str, str], directory: Path
) -> Iterator[Path]:
    """Yield the files that may hold secrets and are there."""
    named = [text for name, text in environment.items() if name.startswith(_PREFIX) and name.endswith(_BEHIND)]
    keys = settings.auth.keys_file
    places = [
        directory / ".env",
        directory / (config or environment.get(CONFIG) or DEFAULT_NAME),
        *(directory / name for name in named),
        Path(keys).expanduser() if keys else state_folder(environment) / "keys.yaml",
    ]
    yield from (place for place in dict.fromkeys(places) if place.is_file())
