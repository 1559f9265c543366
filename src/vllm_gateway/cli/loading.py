"""Settings for a command, or their problems told to the user."""

import sys
from collections.abc import Sequence
from pathlib import Path

from vllm_gateway.settings import Assignment, Loaded, SettingsInvalid, load_here


def loaded_or_told(config: Path | None, flags: Sequence[Assignment] = ()) -> Loaded | None:
    """Return the settings; when there is something wrong with them, tell all of it, a line each, and return none."""
    try:
        return load_here(config, flags)
    except SettingsInvalid as invalid:
        sys.stderr.write("".join(f"{problem.line}\n" for problem in invalid.problems))
        return None
