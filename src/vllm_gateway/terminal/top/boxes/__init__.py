"""Boxes of the screen as lines of coloured text: pure, so that one picture always looks the same."""

from collections.abc import Callable, Mapping

from vllm_gateway.terminal.top.boxes.events import paint_events
from vllm_gateway.terminal.top.boxes.replicas import paint_replicas
from vllm_gateway.terminal.top.boxes.requests import paint_requests
from vllm_gateway.terminal.top.boxes.shares import paint_callers, paint_models
from vllm_gateway.terminal.top.boxes.speed import paint_speed
from vllm_gateway.terminal.top.boxes.summary import paint_summary
from vllm_gateway.terminal.top.ink import Line
from vllm_gateway.terminal.top.scene import Scene

Painter = Callable[[Scene, int, int], list[Line]]

PAINTERS: Mapping[str, Painter] = {
    "replicas": paint_replicas,
    "speed": paint_speed,
    "summary": paint_summary,
    "models": paint_models,
    "callers": paint_callers,
    "requests": paint_requests,
    "events": paint_events,
}
"""Every box by its name."""
