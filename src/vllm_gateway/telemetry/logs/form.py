"""The form of the log: a line of JSON for each event, or one for people where the log is a terminal."""

import logging
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal, TextIO

from typing_extensions import override

from vllm_gateway import codec

Format = Literal["auto", "json", "console"]
_TALKATIVE = ("aiosqlite", "asyncpg", "redis", "urllib3")
"""Libraries that tell at `debug` what they write and where to, conversations among it."""
Render = Callable[[MutableMapping[str, Any]], str]
"""Writes the fields of an event as one line, without its end."""


def renderer(form: Format, stream: TextIO) -> Render:
    """Return what writes lines in a form; `auto` is for people where `stream` is a terminal."""
    if form == "json" or (form == "auto" and not stream.isatty()):
        return _as_json
    from structlog.dev import ConsoleRenderer  # noqa: PLC0415 - it brings rich along, which JSON does without

    console = ConsoleRenderer(colors=stream.isatty(), sort_keys=False, pad_event_to=0)
    return lambda fields: str(console(None, "", dict(fields)))


def set_up(level: str, render: Render, stream: TextIO) -> None:
    """Have all that is logged in this process written to `stream`, one line for each event."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Lines(render))
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.INFO, logging.getLevelNamesMapping()[level.upper()]))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def time_text(wall: float) -> str:
    """Return a time as RFC 3339 has it, in UTC, to the millisecond."""
    second, ms = divmod(int(wall * 1000), 1000)
    return f"{_second_text(second)}.{ms:03}Z"


@lru_cache(maxsize=4)
def _second_text(second: int) -> str:
    """Return a whole second; lines of one second come one after the other."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


class _Lines(logging.Formatter):
    """Writes what is logged as the fields of an event."""

    def __init__(self, render: Render) -> None:
        super().__init__()
        self._render = render

    @override
    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "timestamp": time_text(record.created),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "logger": record.name,
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return self._render(fields)


def _as_json(fields: MutableMapping[str, Any]) -> str:
    return codec.dumps(fields).decode()
