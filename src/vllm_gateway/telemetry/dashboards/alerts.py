"""What somebody is to be woken for, or told of: rules for Prometheus, each with its part of the runbook."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from vllm_gateway.telemetry.dashboards.fleet import FAILED
from vllm_gateway.telemetry.metrics import definitions as of
from vllm_gateway.telemetry.metrics.definitions import Metric
from vllm_gateway.telemetry.metrics.text import number

RUNBOOK = "docs/operations.md"
JOB = "vllm-gateway"
"""What the gateways are called in prometheus.yml."""
PAGE, TELL = "critical", "warning"
"""Somebody has to look now; somebody should, when there is time."""
FAST, SLOW = 14.4, 6.0
"""How many times too fast the errors of 30 days are being used up: in two days, and in five."""
ANSWERED = 0.999
"""The share of requests that neither the fleet nor the gateway fails."""
IN_TIME = 0.99
"""The share of streams whose first token comes within `FIRST_TOKEN_S`."""
FIRST_TOKEN_S = 5.0
_HEAD = (
    "# Made by `python -m scripts.dashboards` from src/vllm_gateway/telemetry/dashboards/alerts.py.\n"
    "# Objectives are written into the expressions: change them there, or here in your own copy.\n"
)


@dataclass(frozen=True, slots=True)
class Alert:
    """One rule."""

    name: str
    expression: str
    lasting: str
    """For how long it must be so."""
    severity: str
    summary: str
    """One sentence; labels stand in it as `{{ $labels.NAME }}`."""


def _burning(ratio: str, allowed: float, windows: tuple[str, str], times: float) -> str:
    """Return when both windows see it: the long one says that it matters, the short one that it still goes on."""
    bound = f"{times * allowed:.6g}"
    return " and ".join(f"({ratio.replace('WINDOW', window)}) > {bound}" for window in windows)


def _new(metric: Metric, match: str, by: str, window: str = "10m") -> str:
    """Return when a counter has gone up; also when its series has only just begun, which has no increase yet."""
    counted = f"sum by ({by}) ({metric.name}{{{match}}}"
    grown = f"sum by ({by}) (increase({metric.name}{{{match}}}[{window}]))"
    return f"{grown} > 0 or ({counted}) > 0 unless {counted} offset {window}))"


_FAILING = (
    f"sum by (job) (rate({of.REQUESTS.name}{{{FAILED}}}[WINDOW])) / sum by (job) (rate({of.REQUESTS.name}[WINDOW]))"
)
_LATE = (
    f'1 - sum by (job) (rate({of.FIRST_TOKEN.name}_bucket{{le="{number(FIRST_TOKEN_S)}"}}[WINDOW]))'
    f" / sum by (job) (rate({of.FIRST_TOKEN.name}_count[WINDOW]))"
)
_QUEUE = 'code=~"queue_full|queue_timeout"'

ALERTS = (
    Alert(
        "GatewayDown",
        f'up{{job="{JOB}"}} == 0',
        "1m",
        PAGE,
        "The gateway {{ $labels.instance }} does not answer Prometheus.",
    ),
    Alert(
        "GatewayHasNoReplica",
        f"sum by (job, instance) ({of.BACKEND_UP.name}) == 0",
        "1m",
        PAGE,
        "The gateway {{ $labels.instance }} has no replica that it may ask.",
    ),
    Alert(
        "GatewayErrorsFast",
        _burning(_FAILING, 1 - ANSWERED, ("5m", "1h"), FAST),
        "2m",
        PAGE,
        "So many requests fail that the errors allowed for 30 days are used up in two.",
    ),
    Alert(
        "GatewayErrorsSlow",
        _burning(_FAILING, 1 - ANSWERED, ("30m", "6h"), SLOW),
        "15m",
        TELL,
        "So many requests fail that the errors allowed for 30 days are used up in five.",
    ),
    Alert(
        "GatewayFirstTokensLateFast",
        _burning(_LATE, 1 - IN_TIME, ("5m", "1h"), FAST),
        "2m",
        PAGE,
        f"Too many first tokens take longer than {number(FIRST_TOKEN_S)} seconds, at a rate that nobody can wait out.",
    ),
    Alert(
        "GatewayFirstTokensLateSlow",
        _burning(_LATE, 1 - IN_TIME, ("30m", "6h"), SLOW),
        "15m",
        TELL,
        f"Too many first tokens take longer than {number(FIRST_TOKEN_S)} seconds, for hours.",
    ),
    Alert(
        "GatewayReplicaOut",
        f"min by (job, backend) ({of.BACKEND_UP.name}) == 0",
        "5m",
        TELL,
        "The replica {{ $labels.backend }} has not been asked for five minutes.",
    ),
    Alert(
        "GatewayReplicaWedged",
        _new(of.EJECTIONS, 'cause="stalled"', "job, backend"),
        "0m",
        TELL,
        "The replica {{ $labels.backend }} says that it is well and makes no tokens.",
    ),
    Alert(
        "GatewayQueueFull",
        f"sum by (job) (rate({of.ERRORS.name}{{{_QUEUE}}}[5m])) > 0",
        "2m",
        TELL,
        "Requests are refused because they found no room in the queue, or waited in it for too long.",
    ),
    Alert(
        "GatewayBudgetNear",
        f"max by (job, key) ({of.BUDGET_USED.name}) > 0.9",
        "0m",
        TELL,
        "The key {{ $labels.key }} has used nine tenths of its tokens for today.",
    ),
    Alert(
        "GatewayStreamsLost",
        _new(of.RESUMES, 'outcome=~"failed|unable"', "job, reason", "15m"),
        "5m",
        TELL,
        "Streams broke off and did not go on elsewhere ({{ $labels.reason }}).",
    ),
    Alert(
        "GatewayLimitsUncounted",
        _new(of.LIMITER, 'result=~"fail_open|fail_closed"', "job, result"),
        "0m",
        TELL,
        "Limits could not be counted where they are kept ({{ $labels.result }}).",
    ),
    Alert(
        "GatewayStoreFails",
        f"sum by (job, store) (rate({of.STORE_ERRORS.name}[5m])) > 0",
        "5m",
        TELL,
        "What keeps {{ $labels.store }} does not do what it is asked.",
    ),
    Alert(
        "GatewayDefect",
        _new(of.REQUESTS, 'outcome="internal_error"', "job, instance"),
        "0m",
        TELL,
        "The gateway {{ $labels.instance }} has met a defect of its own; its log has the stack.",
    ),
)


def rules_file() -> bytes:
    """Return the file that Prometheus reads."""
    groups = {"groups": [{"name": JOB, "rules": list(_rules())}]}
    text = yaml.safe_dump(groups, sort_keys=False, width=1000, allow_unicode=True)
    return (_HEAD + text).encode()


def anchor(alert: Alert) -> str:
    """Return where the runbook tells of an alert."""
    return f"{RUNBOOK}#{alert.name.lower()}"


def _rules() -> Iterator[dict[str, Any]]:
    for alert in ALERTS:
        yield {
            "alert": alert.name,
            "expr": alert.expression,
            "for": alert.lasting,
            "labels": {"severity": alert.severity},
            "annotations": {"summary": alert.summary, "runbook_url": anchor(alert)},
        }
