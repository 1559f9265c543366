"""What was typed and not answered yet, on the disk: neither a crash nor a closed window loses it."""

import contextlib
import os
import re
import sys
import tempfile
from pathlib import Path

from vllm_gateway.settings.config_folder import state_home

_NEW = re.compile(r"new-(\d+)\.txt")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")


class Drafts:
    """One text for each conversation, and one for each chat that has not begun."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or state_home() / "vllm-gateway" / "drafts"

    def read(self, session: str | None) -> str:
        """Return what was typed; for a chat that has not begun, what another one left that has died since."""
        path = self._path(session)
        if session is None and not path.exists():
            for left in self._left_behind():
                with contextlib.suppress(OSError):
                    left.rename(path)
                    break
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return ""

    def write(self, session: str | None, text: str) -> bool:
        """Keep a text whole, or leave the one before it; no text removes it. Say whether that was possible."""
        path = self._path(session)
        try:
            if not text.strip():
                path.unlink(missing_ok=True)
                return True
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, name = tempfile.mkstemp(dir=self._folder)
            with open(handle, "w", encoding="utf-8") as file:  # noqa: PTH123 - it is open already
                file.write(text)
            Path(name).replace(path)
        except OSError:
            return False
        return True

    def _path(self, session: str | None) -> Path:
        name = session if session is not None and _NAME.fullmatch(session) else f"new-{os.getpid()}"
        return self._folder / f"{name}.txt"

    def _left_behind(self) -> list[Path]:
        """Return the drafts of chats whose process is gone, the youngest first."""
        found = [
            path
            for path in self._folder.glob("new-*.txt")
            if (match := _NEW.fullmatch(path.name)) and not _is_alive(int(match[1]))
        ]
        return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)


def _is_alive(process: int) -> bool:
    if sys.platform == "win32":
        return True  # asking there would be a signal
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
