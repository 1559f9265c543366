"""The editor that the user likes, for a text that is long."""

import shlex
import subprocess
import tempfile
from pathlib import Path

from vllm_gateway.settings.surroundings import said


class EditorMissing(Exception):
    """There is none, or it failed; the text says what to do."""


def edited(text: str) -> str:
    """Return a text as it is after the user has edited it; raise `EditorMissing` when that cannot be done."""
    named = said("VISUAL") or said("EDITOR")
    if named is None:
        raise EditorMissing("Set EDITOR to the editor that you like, as in: export EDITOR=vim")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "message.md"
        path.write_text(text, encoding="utf-8")
        try:
            ended = subprocess.run([*shlex.split(named), str(path)], check=False)  # noqa: S603 - the user's own choice
        except (OSError, ValueError) as fault:
            raise EditorMissing(f"The editor '{named}' of EDITOR cannot be started. Is it installed?") from fault
        if ended.returncode:
            raise EditorMissing(f"The editor '{named}' ended with status {ended.returncode}; the text is as it was.")
        return path.read_text(encoding="utf-8", errors="replace").rstrip("\n")
