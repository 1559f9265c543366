"""Lines of requests, written beside them."""

import io
import threading

from typing_extensions import override

from tests.exchanges import exchange
from vllm_gateway import codec
from vllm_gateway.clock import SystemClock
from vllm_gateway.exchange import Exchange
from vllm_gateway.outcomes import Outcome
from vllm_gateway.telemetry.logs.form import renderer
from vllm_gateway.telemetry.logs.writing import RequestLog
from vllm_gateway.telemetry.usage.record import record_of


def _log(stream: io.StringIO, *, most_held: int = 100) -> RequestLog:
    return RequestLog(renderer("json", stream), stream, caller=lambda caller_id: caller_id, most_held=most_held)


def _see(lines: RequestLog, over: Exchange) -> None:
    lines.see(over, record_of(over, Outcome.OK, SystemClock()))


def test_every_request_has_one_line_in_their_order() -> None:
    """All are there when it is closed."""
    stream = io.StringIO()
    lines = _log(stream)
    lines.open()
    for number in range(50):
        _see(lines, exchange(request_id=f"request-{number:02}"))
    lines.close()
    found = [codec.loads(line) for line in stream.getvalue().splitlines()]
    assert [each["request_id"] for each in found] == [f"request-{number:02}" for number in range(50)]
    assert {each["level"] for each in found} == {"info"}
    assert lines.lost == 0


class Blocked(io.StringIO):
    """A stream that nobody reads for now."""

    def __init__(self) -> None:
        super().__init__()
        self.is_reached = threading.Event()
        self.may_go_on = threading.Event()

    @override
    def write(self, text: str) -> int:
        self.is_reached.set()
        self.may_go_on.wait(20)
        return super().write(text)


def test_nobody_waits_for_who_does_not_read() -> None:
    """What there is no room for is counted; the rest comes when there is somebody again."""
    stream = Blocked()
    lines = _log(stream, most_held=10)
    lines.open()
    _see(lines, exchange())
    assert stream.is_reached.wait(20)
    for _ in range(15):
        _see(lines, exchange())
    assert lines.lost == 5
    stream.may_go_on.set()
    lines.close()
    assert len(stream.getvalue().splitlines()) == 11


def test_a_log_that_is_gone_ends_nothing() -> None:
    """Requests go on without their lines."""
    stream = io.StringIO()
    lines = _log(stream)
    stream.close()
    lines.open()
    _see(lines, exchange())
    lines.close()
    assert lines.lost == 1
