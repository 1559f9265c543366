"""Lines of requests are written by a thread of their own: no request waits for whoever reads the log."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import TextIO

from vllm_gateway.exchange import Exchange
from vllm_gateway.telemetry.logs.form import Render
from vllm_gateway.telemetry.logs.line import line_of
from vllm_gateway.telemetry.usage.record import UsageRecord

log = logging.getLogger(__name__)

EVERY_S = 0.1
MOST_HELD = 20_000
_LAST_WORDS_S = 2.0


class RequestLog:
    """Writes one line for each exchange that is over."""

    def __init__(
        self,
        render: Render,
        stream: TextIO,
        *,
        caller: Callable[[str], str],
        text_bytes: int = 0,
        most_held: int = MOST_HELD,
    ) -> None:
        self.lost = 0
        """Lines that there was no room for: whoever reads the log does not."""
        self._render = render
        self._stream = stream
        self._caller = caller
        self._text_bytes = text_bytes
        self._most_held = most_held
        self._held: deque[tuple[UsageRecord, bytes | None]] = deque()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="request log", daemon=True)

    def open(self) -> None:
        """Begin to write."""
        self._thread.start()

    def see(self, exchange: Exchange, record: UsageRecord) -> None:
        """Take in an exchange that ends now; all but the beginning of its body is in the record."""
        if len(self._held) >= self._most_held:
            self.lost += 1
            return
        self._held.append((record, exchange.body[: self._text_bytes] if self._text_bytes else None))

    def close(self) -> None:
        """Write what is held, unless that takes too long."""
        self._is_over.set()
        self._thread.join(_LAST_WORDS_S)

    def _run(self) -> None:
        lost_told = 0
        while not self._is_over.wait(EVERY_S):
            self._write()
            if self.lost > lost_told:
                log.error("%d lines of requests are missing: the log is not read fast enough", self.lost - lost_told)
                lost_told = self.lost
        self._write()

    def _write(self) -> None:
        """Write what is there now, in one go."""
        over = [self._held.popleft() for _ in range(len(self._held))]
        if not over:
            return
        lines = [self._render(line_of(record, caller=self._caller, text=text)) for record, text in over]
        try:
            self._stream.write("\n".join([*lines, ""]))
            self._stream.flush()
        except (OSError, ValueError):  # nobody reads any more; there is nobody who could be told
            self.lost += len(lines)
