"""The form of the log."""

import io
import logging
from collections.abc import Iterator

import pytest
from typing_extensions import override

from vllm_gateway import codec
from vllm_gateway.telemetry.logs.form import Format, renderer, set_up, time_text


class Terminal(io.StringIO):
    """A stream that is one."""

    @override
    def isatty(self) -> bool:
        return True


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """Give the logger of all, and put it right afterwards."""
    logger = logging.getLogger()
    before, level = list(logger.handlers), logger.level
    yield logger
    logger.handlers[:] = before
    logger.setLevel(level)


def test_an_event_is_a_line_of_json(root: logging.Logger) -> None:
    """With the time, how severe it is, what happened, and who says so."""
    stream = io.StringIO()
    set_up("info", renderer("json", stream), stream)
    root.getChild("there").warning("replica %s is out", "one")
    root.getChild("there").debug("nobody wants to know")
    (line,) = stream.getvalue().splitlines()
    found = codec.loads(line)
    assert (found["level"], found["event"], found["logger"]) == ("warning", "replica one is out", "there")
    assert list(found)[0] == "timestamp"  # noqa: RUF015 - the order is what this is about
    assert found["timestamp"].endswith("Z")


def test_libraries_do_not_tell_what_they_are_given(root: logging.Logger) -> None:
    """What is written into a database is not written into the log as well, at no level; what goes wrong there is."""
    stream = io.StringIO()
    set_up("debug", renderer("json", stream), stream)
    root.getChild("aiosqlite").debug("executing INSERT, 'what was said'")
    root.getChild("aiosqlite").error("the disk is full")
    root.getChild("there").debug("this is the gateway's own")
    found = [codec.loads(line)["event"] for line in stream.getvalue().splitlines()]
    assert found == ["the disk is full", "this is the gateway's own"]
    set_up("error", renderer("json", stream), stream)
    assert not root.getChild("aiosqlite").isEnabledFor(logging.WARNING)


def test_a_defect_comes_with_its_stack(root: logging.Logger) -> None:
    """In the same line."""
    stream = io.StringIO()
    set_up("info", renderer("json", stream), stream)
    root.error("it failed", exc_info=ValueError("what was wrong"))
    (line,) = stream.getvalue().splitlines()
    assert "ValueError: what was wrong" in codec.loads(line)["exception"]


@pytest.mark.parametrize(
    ("form", "stream", "is_json"),
    [
        ("auto", io.StringIO(), True),
        ("auto", Terminal(), False),
        ("json", Terminal(), True),
        ("console", io.StringIO(), False),
    ],
)
def test_people_get_words_at_a_terminal(form: Format, stream: io.StringIO, *, is_json: bool) -> None:
    """And programs get JSON, unless the settings say otherwise."""
    text = renderer(form, stream)({"event": "request", "status": 200})
    assert text.startswith("{") is is_json
    assert "200" in text


def test_times_are_utc_to_the_millisecond() -> None:
    """As RFC 3339 writes them."""
    assert time_text(1_700_000_000.1234) == "2023-11-14T22:13:20.123Z"
