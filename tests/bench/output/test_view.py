"""What one sees meanwhile."""

import io

from rich.console import Console

from tests.bench.making import answered, failed
from vllm_gateway.bench.output.view import View
from vllm_gateway.clock import HandClock


def test_it_counts_what_it_is_told() -> None:
    """Requests under way, answers, failures by kind, and the last latencies."""
    clock = HandClock()
    view = View("title", clock)
    for record in (answered(), answered(ttft=0.3), failed()):
        view.sent(record)
        clock.move(0.5)
        view.ended(record)
    view.sent(answered())
    clock.move(0.5)
    assert view.figures() == {
        "time": "2 s",
        "under way": "1",
        "answered": "2",
        "ended per second, last 5 s": "1.5",
        "tokens out": "6",
        "TTFT p50 / p99": "200.0 / 298.0 ms",
        "E2E p50 / p99": "220.0 / 318.0 ms",
        "failed": "http_503 1",
    }


def test_old_answers_leave_the_rate() -> None:
    """It is of the last seconds."""
    clock = HandClock()
    view = View("title", clock)
    view.sent(answered())
    view.ended(answered())
    clock.move(10)
    assert view.figures()["ended per second, last 5 s"] == "0.0"
    assert "failed" not in view.figures()


def test_it_is_drawn_and_taken_away() -> None:
    """On the terminal that is given."""
    stream = io.StringIO()
    view = View("the title")
    Console(file=stream, width=80).print(view)
    assert "the title" in stream.getvalue()
    assert "under way" in stream.getvalue()
    with view.live(stream):
        view.sent(answered())
