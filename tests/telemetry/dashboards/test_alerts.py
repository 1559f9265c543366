"""The alerts: what they ask exists, each fires when it should, and the runbook tells of each."""

import asyncio
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.dashboards import DEPLOY
from tests.house.files import ROOT
from tests.telemetry.dashboards.asked import expressions, filled, unknown
from vllm_gateway.telemetry.dashboards.alerts import ALERTS, FIRST_TOKEN_S, RUNBOOK, Alert, anchor, rules_file
from vllm_gateway.telemetry.dashboards.grafana import BOARDS
from vllm_gateway.telemetry.metrics.definitions import FIRST_TOKEN

ALL = pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
JOB = 'job="vllm-gateway", instance="a"'


@dataclass(frozen=True)
class Case:
    """What is measured when an alert fires, and what it says then."""

    at: str
    series: dict[str, str]
    labels: dict[str, str] = field(default_factory=dict)


OUTCOMES = "gateway_requests_total{" + JOB + ', model="m", route="/r", status_class="2xx", outcome="OUTCOME"}'
LATE = {
    "gateway_time_to_first_token_seconds_bucket{" + JOB + ', model="m", le="5"}': "0+60x480",
    "gateway_time_to_first_token_seconds_count{" + JOB + ', model="m"}': "0+100x480",
}
FAILING = {OUTCOMES.replace("OUTCOME", "ok"): "0+100x480", OUTCOMES.replace("OUTCOME", "timeout"): "0+10x480"}
WEDGED = "gateway_backend_ejections_total{" + JOB + ', backend="gpu-1", cause="stalled"}'
CASES = {
    "GatewayDown": Case("5m", {"up{" + JOB + "}": "1 1 0x10"}, {"instance": "a"}),
    "GatewayHasNoReplica": Case("5m", {"gateway_backend_up{" + JOB + ', backend="b"}': "0x10"}, {"instance": "a"}),
    "GatewayErrorsFast": Case("2h", FAILING),
    "GatewayErrorsSlow": Case("7h", FAILING),
    "GatewayFirstTokensLateFast": Case("2h", LATE),
    "GatewayFirstTokensLateSlow": Case("7h", LATE),
    "GatewayReplicaOut": Case(
        "8m", {"gateway_backend_up{" + JOB + ', backend="gpu-1"}': "1 0x10"}, {"backend": "gpu-1"}
    ),
    "GatewayReplicaWedged": Case("14m", {WEDGED: "_x12 1x10"}, {"backend": "gpu-1"}),
    "GatewayQueueFull": Case("10m", {"gateway_errors_total{" + JOB + ', code="queue_full"}': "0+1x20"}),
    "GatewayBudgetNear": Case("2m", {"gateway_budget_used_ratio{" + JOB + ', key="k"}': "0.95x5"}, {"key": "k"}),
    "GatewayStreamsLost": Case(
        "20m", {"gateway_resumes_total{" + JOB + ', outcome="failed", reason="r"}': "0x5 1x30"}, {"reason": "r"}
    ),
    "GatewayLimitsUncounted": Case(
        "8m", {"gateway_limiter_fallbacks_total{" + JOB + ', result="fail_open"}': "0x5 3x30"}, {"result": "fail_open"}
    ),
    "GatewayStoreFails": Case(
        "20m", {"gateway_store_errors_total{" + JOB + ', store="keys"}': "0+1x30"}, {"store": "keys"}
    ),
    "GatewayDefect": Case("3m", {OUTCOMES.replace("OUTCOME", "internal_error"): "_ 1x10"}, {"instance": "a"}),
}


@ALL
def test_what_it_asks_exists(alert: Alert) -> None:
    """By the metrics' definitions; the bound of first tokens is one of the histogram's."""
    assert unknown(alert.expression) == set()
    assert FIRST_TOKEN_S in FIRST_TOKEN.buckets


@ALL
def test_the_runbook_tells_of_it(alert: Alert) -> None:
    """Under a heading that its address leads to."""
    headings = re.findall(r"^#+ (\w+)$", (ROOT / RUNBOOK).read_text(encoding="utf-8"), re.MULTILINE)
    assert anchor(alert) in {f"{RUNBOOK}#{heading.lower()}" for heading in headings}


def test_each_has_a_case() -> None:
    """Whoever adds an alert shows when it fires."""
    assert set(CASES) == {alert.name for alert in ALERTS}


async def promtool(*words: str | Path) -> tuple[int, str]:
    """Return the status of promtool, and what it says."""
    process = await asyncio.create_subprocess_exec(
        "promtool", *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


@pytest.mark.servers
async def test_prometheus_reads_the_rules_and_the_settings() -> None:
    """As they stand in deploy/."""
    status, said = await promtool("check", "config", DEPLOY / "prometheus" / "prometheus.yml")
    assert (status, f"{len(ALERTS)} rules found" in said) == (0, True), said


@pytest.mark.servers
async def test_every_query_of_every_dashboard_can_be_read(tmp_path: Path) -> None:
    """As rules, which Prometheus checks without asking them."""
    rules = [{"record": f"q{number}", "expr": filled(each)} for number, each in enumerate(expressions(BOARDS))]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": rules}]}))
    status, said = await promtool("check", "rules", path)
    assert (status, f"{len(rules)} rules found" in said) == (0, True), said


@pytest.mark.servers
async def test_each_fires_when_it_should_and_not_before(tmp_path: Path) -> None:
    """On numbers that are made up; at the very beginning none does."""
    (tmp_path / "alerts.yml").write_bytes(rules_file())
    tests = [_tested(alert, CASES[alert.name]) for alert in ALERTS]
    path = tmp_path / "test.yml"
    path.write_text(yaml.safe_dump({"rule_files": ["alerts.yml"], "evaluation_interval": "1m", "tests": tests}))
    status, said = await promtool("test", "rules", path)
    assert status == 0, said


def _tested(alert: Alert, case: Case) -> dict[str, Any]:
    """Return a test in promtool's words."""
    labels = {"job": "vllm-gateway", **case.labels}
    summary = re.sub(r"{{ \$labels\.(\w+) }}", lambda found: labels[found[1]], alert.summary)
    fires = {
        "exp_labels": {"severity": alert.severity, **labels},
        "exp_annotations": {"summary": summary, "runbook_url": anchor(alert)},
    }
    return {
        "interval": "1m",
        "name": alert.name,
        "input_series": [{"series": name, "values": values} for name, values in case.series.items()],
        "alert_rule_test": [
            {"eval_time": "0m", "alertname": alert.name, "exp_alerts": [fires] if alert.name in AT_ONCE else []},
            {"eval_time": case.at, "alertname": alert.name, "exp_alerts": [fires]},
        ],
    }


AT_ONCE = frozenset({"GatewayBudgetNear"})
"""What is true from its first number on."""
