"""What every dashboard must be."""

from collections import Counter

import pytest

from tests.telemetry.dashboards.asked import expressions, panels, unknown
from vllm_gateway.telemetry.dashboards.board import Board, Look, Unit
from vllm_gateway.telemetry.dashboards.grafana import BOARDS
from vllm_gateway.telemetry.metrics.definitions import METRICS


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_every_panel_asks_something_and_says_what(board: Board) -> None:
    """With a legend to each query, one sentence at least, and a title that no other panel of the dashboard has."""
    assert Counter(panel.title for panel in panels(board)).most_common(1)[0][1] == 1
    for panel in panels(board):
        assert panel.queries
        assert panel.about.rstrip().endswith(".")
        assert all(query.legend for query in panel.queries)
        assert (panel.warn is None) is (panel.bad is None)
        assert panel.look is not Look.TABLE or panel.unit is Unit.COUNT


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_everything_that_is_asked_exists(board: Board) -> None:
    """The gateway's metrics by their definitions, the replicas' by what a real vLLM tells."""
    for expression in expressions([board]):
        assert unknown(expression) == set(), expression
        assert (
            "rate(" not in expression
            or "[$__rate_interval]" in expression
            or "[5m]" in expression
            or "h]" in expression
        )


def test_every_metric_is_shown_somewhere() -> None:
    """What nobody looks at need not be counted."""
    asked = " ".join(expressions(BOARDS))
    assert [metric.name for metric in METRICS if metric.name not in asked] == []
