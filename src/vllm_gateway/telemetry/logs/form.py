"""The form of the log: a line of JSON for each event, or one for people where the log is a terminal."""

import logging
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import Processor

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
    console = structlog.dev.ConsoleRenderer(colors=stream.isatty(), sort_keys=False, pad_event_to=0)
    return lambda fields: str(console(None, "", dict(fields)))


def set_up(level: str, render: Render, stream: TextIO) -> None:
    """Have all that is logged in this process written to `stream`, one line for each event."""
    said: Processor = structlog.stdlib.PositionalArgumentsFormatter()
    before: list[Processor] = [structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name, said, _add_time]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=before,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            lambda _logger, _name, fields: render(_in_order(fields)),
        ],
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
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


def _add_time(_logger: object, _name: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    record: logging.LogRecord = fields["_record"]
    fields["timestamp"] = time_text(record.created)
    return fields


def _in_order(fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    first = {name: fields.pop(name) for name in ("timestamp", "level", "event") if name in fields}
    return {**first, **fields}


def _as_json(fields: MutableMapping[str, Any]) -> str:
    return codec.dumps(fields).decode()
