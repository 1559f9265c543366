"""What single routes cost."""

import os
from dataclasses import replace
from datetime import UTC, datetime

from benchmarks import report, routes
from benchmarks.compare import cores
from benchmarks.figures import Figures
from benchmarks.load import Scenario
from benchmarks.report import Run
from tests.benchmarks.test_report import PLAIN, SLOWER, cells


def shortened(scenario: Scenario) -> Scenario:
    """Return the scenario with as little load as shows a mistake."""
    return replace(scenario, connections=2, warm_s=0.05, measured_s=0.2)


def test_every_route_answers_all_that_it_is_asked() -> None:
    """Each is measured on a gateway with everything on, and nothing goes wrong."""
    measured = [replace(each, scenario=shortened(each.scenario)) for each in routes.ways(has_redis=False)]
    shared_out = cores(list(os.sched_getaffinity(0)))
    runs = list(routes.play(measured, 1, shared_out, redis_url=""))
    for run in runs:
        assert (run.figures.errors, run.figures.unfinished) == (0, 0)
    assert [run.scenario for run in runs] == ["/v1/chat/completions", "/chat", "/api/chat"]


def test_redis_takes_part_where_it_is() -> None:
    """Without it there is one way less, and no address."""
    assert [each.redis for each in routes.ways(has_redis=True)] == [False, False, False, True]
    with routes.redis(None, None) as url:
        assert url == ""


def test_the_table_has_a_row_for_each_route() -> None:
    """With what it cost, and how much of the gateway's core it took."""
    seen: dict[str, Figures] = {"/v1": PLAIN, "/chat": replace(SLOWER, errors=2)}
    rows = cells(routes.table(seen))
    assert rows["/v1"]["requests/s"] == "20,000"
    assert rows["/chat"]["CPU s per 1,000"] == "0.05"
    assert rows["/chat"]["failed"] == "2"
    assert rows["/v1"]["core of the gateway"] == "50%"


def test_the_report_is_of_medians() -> None:
    """Of as many repetitions as there were."""
    runs = [Run("/v1", "gateway", number, figures) for number, figures in enumerate((PLAIN, SLOWER, PLAIN), 1)]
    what = report.circumstances(datetime.now(UTC), command="routes", is_pinned=True)
    text = routes.markdown(what, runs)
    assert "medians of 3 repetitions" in text
    assert "| /v1 | 20,000 " in text
