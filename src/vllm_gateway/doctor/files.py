"""Files: secrets that others may read, folders that cannot be written to."""

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from vllm_gateway.doctor.finding import Finding, fail, ok, warn
from vllm_gateway.settings import Settings
from vllm_gateway.settings.state_folder import state_folder

_OTHERS = 0o007
_SECRETS_FOLDERS = ("/run/secrets/", "/var/run/secrets/")
"""Where Docker and Kubernetes put them, readable for everybody in the container, who is nobody else."""


def look_at_secret_files(paths: Iterable[Path]) -> Iterator[Finding]:
    """Say of each file that holds a secret whether only its owner and group may read it."""
    for path in paths:
        try:
            if not path.is_file():
                continue
        except OSError as fault:  # its folder may be closed to this user
            yield warn("secrets", f"{path} cannot be looked at: {fault.strerror}", "Run it as the gateway's user.")
            continue
        if sys.platform != "win32" and path.stat().st_mode & _OTHERS and not str(path).startswith(_SECRETS_FOLDERS):
            yield warn("secrets", f"every user of this machine may open {path}", f"Run: chmod 600 {path}")
        else:
            yield ok("secrets", f"{path} is for its owner and group only")


def look_at_kept_files(settings: Settings) -> Iterator[Finding]:
    """Say of each file that the gateway writes whether it can."""
    for setting, path in kept_files(settings):
        target = next(each for each in (path, *path.parents) if os.path.exists(each))  # noqa: PTH110 - unlike a Path's it takes what is out of reach for absent
        if os.access(target, os.W_OK):
            yield ok(setting, f"{path} can be written")
        else:
            cure = f"Let this user write there, or name another file as {setting}."
            yield fail(setting, f"{path} cannot be written: {target} is not this user's", cure)


def kept_files(settings: Settings) -> Iterator[tuple[str, Path]]:
    """Yield each file that these settings have written, with the setting that names it."""
    if settings.session.backend == "sqlite":
        yield "session.path", _place(settings.session.path, "sessions.sqlite")
    if settings.usage.backend == "sqlite":
        yield "usage.path", _place(settings.usage.path, "usage.sqlite")


def _place(named: str | None, usual: str) -> Path:
    return (Path(named).expanduser() if named else state_folder() / usual).absolute()
