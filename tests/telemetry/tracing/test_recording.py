"""Requests become spans when they are over, beside them."""

import logging
import sys
import threading
from collections.abc import Sequence

import pytest

from tests.exchanges import exchange
from tests.waiting import until
from vllm_gateway.clock import SystemClock
from vllm_gateway.outcomes import Outcome
from vllm_gateway.settings.model import Tracing
from vllm_gateway.telemetry.tracing.context import Context
from vllm_gateway.telemetry.tracing.recording import Recording
from vllm_gateway.telemetry.tracing.spans import Span
from vllm_gateway.telemetry.usage.record import record_of
from vllm_gateway.trail import Trace

PARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Outlet:
    """Keeps what it is sent."""

    every_s = 0.001

    def __init__(self, *, samples: bool = True, arrives: bool = True) -> None:
        self.samples, self.arrives = samples, arrives
        self.spans: list[tuple[Trace, Span]] = []
        self.most_at_once = 0
        self.is_reached, self.may_go_on = threading.Event(), threading.Event()
        self.may_go_on.set()
        self.fault: Exception | None = None
        self.asked: list[Context | None] = []
        self.is_closed = False

    def decide(self, trace: int, parent: Context | None, name: str) -> bool:
        """Say what the test wants."""
        assert trace
        assert name.startswith("/")
        self.asked.append(parent)
        return self.samples

    def send(self, spans: Sequence[tuple[Trace, Span]]) -> bool:
        """Wait until the test lets it."""
        self.is_reached.set()
        self.may_go_on.wait(20)
        self.most_at_once = max(self.most_at_once, len(spans))
        self.spans += spans
        if self.fault is not None:
            raise self.fault
        return self.arrives

    def close(self) -> None:
        """Note it."""
        self.is_closed = True


def recording(outlet: Outlet, *, most_held: int = 1000, **settings: bool) -> Recording:
    """Return one that sends there."""
    return Recording(
        outlet, Tracing(**settings), clock=SystemClock(), caller=lambda caller_id: caller_id, most_held=most_held
    )


def end(recorded: Recording, number: int = 0) -> None:
    """Let a request begin and end."""
    one = exchange(request_id=f"request-{number:03}")
    recorded.begin(one)
    recorded.see(one, record_of(one, Outcome.OK, SystemClock()))


def test_every_request_becomes_spans_in_their_order() -> None:
    """All are there when it is closed; so many at once that a batch has a reasonable size."""
    outlet = Outlet()
    recorded = recording(outlet)
    for number in range(300):
        end(recorded, number)
    recorded.open()
    recorded.close()
    assert [span.attributes["gateway.request_id"] for _, span in outlet.spans] == [
        f"request-{number:03}" for number in range(300)
    ]
    assert outlet.most_at_once == 32
    assert (recorded.lost, outlet.is_closed) == (0, True)


def test_a_request_belongs_to_its_callers_trace() -> None:
    """Otherwise to a new one, whose first span is the request."""
    outlet = Outlet()
    recorded = recording(outlet, to_replicas=False)
    one, other = exchange(), exchange()
    one.headers = [(b"traceparent", PARENT), (b"tracestate", b"a=1")]
    recorded.begin(one)
    recorded.begin(other)
    mine, new = one.trail.trace, other.trail.trace
    assert mine is not None
    assert new is not None
    assert (f"{mine.id:x}", f"{mine.parent:x}", mine.state) == (PARENT[4:35].decode(), PARENT[36:52].decode(), b"a=1")
    assert (new.parent, new.state, new.goes_on) == (0, b"", False)
    assert mine.span != new.span
    assert [parent is None for parent in outlet.asked] == [False, True]


def test_other_threads_get_their_turn_soon() -> None:
    """As long as it runs; then it is as it was."""
    before, recorded = sys.getswitchinterval(), recording(Outlet())
    recorded.open()
    meanwhile = sys.getswitchinterval()
    recorded.close()
    assert meanwhile == pytest.approx(0.001)
    assert sys.getswitchinterval() == before


def test_what_is_not_sampled_leaves_nothing() -> None:
    """Nor does what began before there was a recording."""
    outlet = Outlet(samples=False)
    recorded = recording(outlet)
    end(recorded)
    never_begun = exchange()
    recorded.see(never_begun, record_of(never_begun, Outcome.OK, SystemClock()))
    recorded.open()
    recorded.close()
    assert outlet.spans == []
    assert recorded.lost == 0


def test_nobody_waits_for_a_slow_collector() -> None:
    """What there is no room for is counted; the rest is sent when it goes on."""
    outlet = Outlet()
    outlet.may_go_on.clear()
    recorded = recording(outlet, most_held=10)
    recorded.open()
    end(recorded)
    assert outlet.is_reached.wait(20)
    for _ in range(15):
        end(recorded)
    assert recorded.lost == 5
    outlet.may_go_on.set()
    recorded.close()
    assert len(outlet.spans) == 11


@pytest.mark.parametrize("fault", [None, OSError("gone")])
async def test_what_does_not_arrive_is_counted(fault: Exception | None, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever the reason, the next ones are sent all the same, and the log says how many are lost."""
    outlet = Outlet(arrives=False)
    outlet.fault = fault
    recorded = recording(outlet)
    for _ in range(200):
        end(recorded)
    with caplog.at_level(logging.ERROR):
        recorded.open()
        await until(lambda: any("traces of 200 requests are lost" in each.message for each in list(caplog.records)))
        recorded.close()
    assert (recorded.lost, len(outlet.spans)) == (200, 200)
