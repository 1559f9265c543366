"""What dashboards and alerts ask, and whether it exists."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from tests.house.files import ROOT
from vllm_gateway import codec
from vllm_gateway.telemetry.dashboards.board import Board, Panel
from vllm_gateway.telemetry.metrics.definitions import BY_NAME, Kind

RECORDED = ROOT / "tests" / "recordings" / "vllm-0.32.0" / "metrics.json"
_NAME = re.compile(r"\b(?:gateway_|vllm:)\w+")


def panels(board: Board) -> Iterator[Panel]:
    """Return the panels of a dashboard."""
    for row in board.rows:
        yield from row.panels


def expressions(boards: Iterable[Board]) -> list[str]:
    """Return everything that dashboards ask."""
    return [query.expression for board in boards for panel in panels(board) for query in panel.queries]


def unknown(expression: str) -> set[str]:
    """Return the metrics of an expression that neither the gateway nor a real vLLM has."""
    real: dict[str, Any] = codec.loads(RECORDED.read_bytes())
    there = set(re.findall(r"^# TYPE (vllm:\S+) ", real["response"]["body"], re.MULTILINE))
    for metric in BY_NAME.values():
        parts = ("_bucket", "_sum", "_count") if metric.kind is Kind.HISTOGRAM else ("",)
        there |= {metric.name + part for part in parts}
    return set(_NAME.findall(expression)) - there


def filled(expression: str, *, window: str = "1m", choices: dict[str, str] | None = None) -> str:
    """Return an expression as Grafana sends it, everything chosen."""
    values = {"__rate_interval": window, "__range": window, "ttft": "5"} | (choices or {})
    return re.sub(r"\$(\w+)", lambda found: values.get(found[1], ".*"), expression)
