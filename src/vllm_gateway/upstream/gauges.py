"""What a replica's own metrics say of how busy it is."""

import re
from dataclasses import dataclass

_SERIES = re.compile(rb"^vllm:(num_requests_running|num_requests_waiting)(?:\{[^}\n]*\})? (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Gauges:
    """Requests inside a replica, over all its engines."""

    running: int
    waiting: int


def read_gauges(page: bytes) -> Gauges | None:
    """Read a page of Prometheus' text format; None when it says nothing of this."""
    found: dict[bytes, float] = {}
    for name, value in _SERIES.findall(page):
        try:
            found[name] = found.get(name, 0.0) + float(value)
        except ValueError:
            continue
    if b"num_requests_waiting" not in found:
        return None
    return Gauges(int(found.get(b"num_requests_running", 0)), int(found[b"num_requests_waiting"]))
