"""Terminals that take longer to show something than we take to draw it: a slow line, a stopped one, a busy tmux."""

from contextlib import ExitStack
from typing import Any

from textual.app import App

LOOK_S = 1 / 12
_MOST_WAITING = 4
"""So many pieces may wait for the terminal before nothing more is drawn. Textual stands still at 30."""


class Patience:
    """Has an app draw nothing while its terminal is behind, so that everything else goes on.

    `look` is to be called again and again, every `LOOK_S`.
    """

    def __init__(self, app: App[Any]) -> None:
        self._app = app
        self._pause = ExitStack()
        self.is_waiting = False
        """Nothing is drawn."""

    def look(self) -> None:
        """Stop drawing when too much waits to be shown; when all of that is shown, draw what is so then."""
        waiting = self._waiting()
        if not self.is_waiting and waiting > _MOST_WAITING:
            self.is_waiting = True
            self._pause.enter_context(self._app.batch_update())
        elif self.is_waiting and not waiting:
            self.is_waiting = False
            self._pause.close()
            self._app.screen.refresh()

    def _waiting(self) -> int:
        """Return how many pieces wait; Textual tells nobody, and where it has no thread for them there are none."""
        writer = getattr(self._app._driver, "_writer_thread", None)  # noqa: SLF001 - see above
        return writer._queue.qsize() if writer is not None else 0  # noqa: SLF001 - see above
