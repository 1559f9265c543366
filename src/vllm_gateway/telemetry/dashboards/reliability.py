"""The dashboard of reliability: whether objectives are kept, what went wrong, and what was done about it."""

from vllm_gateway.telemetry.dashboards.board import Board, Look, Panel, Query, Row, Unit, Variable
from vllm_gateway.telemetry.dashboards.fleet import FAILED, NOT_CLOSED
from vllm_gateway.telemetry.dashboards.promql import below, quantile, rate, series, share, summed
from vllm_gateway.telemetry.metrics import definitions as of
from vllm_gateway.telemetry.metrics.text import number

_WELL = 'outcome=~"ok|ok_retried|ok_resumed"'
_SAVED = 'outcome=~"ok_retried|ok_resumed"'
_OBJECTIVES = tuple(number(each) for each in (5.0, 0.5, 1.0, 2.5, 10.0))
"""Bounds of the histogram: nothing else can be counted exactly."""


def _objectives() -> Row:
    failed = f"({rate(of.REQUESTS, match=FAILED)} or vector(0))"
    good = f"1 - {failed} / ({rate(of.REQUESTS)} > 0)"
    return Row(
        "Objectives",
        (
            Panel(
                "Answered",
                Unit.SHARE,
                (Query(good, "answered"),),
                "The share of requests that neither the fleet nor the gateway failed.",
                Look.NUMBER,
                warn=0.999,
                bad=0.99,
            ),
            Panel(
                "First tokens in time",
                Unit.SHARE,
                (Query(below("$ttft", of.FIRST_TOKEN), "within $ttft s"),),
                "The share of streams whose first token came within the chosen time.",
                Look.NUMBER,
                warn=0.99,
                bad=0.95,
            ),
            Panel(
                "Failed, by window",
                Unit.SHARE,
                tuple(Query(_failed_in(window), window) for window in ("5m", "1h", "6h")),
                "The windows that the alerts look at.",
            ),
            Panel(
                "First tokens too late, by window",
                Unit.SHARE,
                tuple(Query(f"1 - {below('$ttft', of.FIRST_TOKEN, window)}", window) for window in ("5m", "1h", "6h")),
                "The windows that the alerts look at.",
            ),
        ),
    )


def _failed_in(window: str) -> str:
    failed = f"sum(rate({series(of.REQUESTS, FAILED)}[{window}]))"
    return f"({failed} or vector(0)) / (sum(rate({series(of.REQUESTS)}[{window}])) > 0)"


def _saved() -> Row:
    return Row(
        "What was saved",
        (
            Panel(
                "Answered all the same",
                Unit.PER_SECOND,
                (Query(rate(of.REQUESTS, "outcome", match=_SAVED), "{{outcome}}"),),
                "Requests whose replica failed, and whose callers did not notice.",
            ),
            Panel(
                "Attempts for each answer",
                Unit.COUNT,
                (Query(share(rate(of.ATTEMPTS), f"({rate(of.REQUESTS, match=_WELL)} > 0)"), "attempts"),),
                "1 is quiet weather; well above it, the fleet is asked in vain.",
            ),
            Panel(
                "Streams that broke off",
                Unit.PER_SECOND,
                (Query(rate(of.RESUMES, "outcome", "reason"), "{{outcome}}, {{reason}}"),),
                "By what became of them, and what broke them.",
            ),
            Panel(
                "Second replicas asked",
                Unit.PER_SECOND,
                (Query(rate(of.HEDGES, "result"), "{{result}}"),),
                "First tokens that were late, where hedging is on.",
            ),
        ),
    )


def _wrong() -> Row:
    ejected = rate(of.EJECTIONS, "backend", "cause")
    return Row(
        "What went wrong",
        (
            Panel(
                "Attempts by result",
                Unit.PER_SECOND,
                (Query(rate(of.ATTEMPTS, "result"), "{{result}}"),),
                "`ok`, or what the attempt failed with.",
                is_stacked=True,
            ),
            Panel(
                "Replicas taken out",
                Unit.EVENTS_PER_SECOND,
                (Query(ejected, "{{backend}}: {{cause}}"),),
                "`stalled`: it says that it is well, and makes no tokens.",
            ),
            Panel(
                "Breakers that are not closed",
                Unit.COUNT,
                (Query(f"max by (backend, state) ({series(of.BREAKER, NOT_CLOSED)})", "{{backend}} {{state}}"),),
                "`open`: not asked; `half_open`: one request tries it.",
            ),
            Panel(
                "Stores",
                Unit.EVENTS_PER_SECOND,
                (
                    Query(rate(of.STORE_ERRORS, "store"), "{{store}} not done"),
                    Query(f"{rate(of.LIMITER, 'result')} or vector(0)", "limits: {{result}}"),
                ),
                "Operations that a store did not do, and limits that were counted without one.",
            ),
        ),
    )


def _room() -> Row:
    return Row(
        "Room",
        (
            Panel(
                "In the queue",
                Unit.COUNT,
                (Query(summed(of.QUEUE_DEPTH, "instance"), "{{instance}}"),),
                "Requests for which no replica has room.",
            ),
            Panel(
                "Wait in the queue",
                Unit.SECONDS,
                tuple(Query(quantile(each, of.QUEUE_WAIT), f"p{each * 100:g}") for each in (0.5, 0.95)),
                "Of those that had to wait.",
            ),
            Panel(
                "Requests that had to wait",
                Unit.PER_SECOND,
                (Query(rate(of.QUEUE_WAIT), "waited"),),
                "When this goes on, the fleet is too small.",
            ),
        ),
    )


RELIABILITY = Board(
    "reliability",
    "vllm-gateway / Reliability",
    "Whether objectives are kept, what went wrong, and what was done about it.",
    (_objectives(), _saved(), _wrong(), _room()),
    (Variable("ttft", "First token within, s", values=_OBJECTIVES),),
)
