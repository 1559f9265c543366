"""The dashboard of the fleet: what comes in, how quickly it is answered, and what each replica does."""

from vllm_gateway.telemetry.dashboards.board import Board, Look, Panel, Query, Row, Unit
from vllm_gateway.telemetry.dashboards.promql import (
    TARGETS,
    WINDOW,
    of_replicas,
    quantile,
    rate,
    series,
    share,
    summed,
)
from vllm_gateway.telemetry.metrics import definitions as of

FAILED = 'outcome=~"upstream_error|upstream_truncated|timeout|internal_error|refused_overload"'
"""Outcomes that are ours to answer for: not the caller's own doing, and not a limit that was set on purpose."""

NOT_CLOSED = 'state!="closed"'


def _now() -> Row:
    up = f"sum(min by (job, backend) ({series(of.BACKEND_UP)}))"
    failed = f"({rate(of.REQUESTS, match=FAILED)} or vector(0)) / ({rate(of.REQUESTS)} > 0)"
    return Row(
        "Now",
        (
            _number("Replicas up", Unit.COUNT, up, "Replicas that every gateway may ask.", warn=1, bad=0),
            _number("Requests under way", Unit.COUNT, summed(of.INFLIGHT), "Callers who wait or read."),
            _number("In the queue", Unit.COUNT, summed(of.QUEUE_DEPTH), "Requests for which no replica has room."),
            _number("Requests", Unit.PER_SECOND, rate(of.REQUESTS), "Requests that ended, each second."),
            _number(
                "Failed",
                Unit.SHARE,
                f"{failed} or vector(0)",
                "The share of requests that the fleet or the gateway failed; callers' own mistakes are not in it.",
                warn=0.001,
                bad=0.01,
            ),
            _number(
                "First token, p95", Unit.SECONDS, quantile(0.95, of.FIRST_TOKEN), "95 of 100 streams began sooner."
            ),
        ),
    )


def _number(
    title: str, unit: Unit, expression: str, about: str, *, warn: float | None = None, bad: float | None = None
) -> Panel:
    return Panel(title, unit, (Query(expression, title),), about, Look.NUMBER, warn, bad)


def _traffic() -> Row:
    tokens = rate(of.TOKENS, "direction")
    return Row(
        "Traffic",
        (
            Panel(
                "Requests by outcome",
                Unit.PER_SECOND,
                (Query(rate(of.REQUESTS, "outcome"), "{{outcome}}"),),
                "How requests ended. Every request has one outcome of a closed list.",
                is_stacked=True,
            ),
            Panel(
                "Time to first token",
                Unit.SECONDS,
                tuple(Query(quantile(each, of.FIRST_TOKEN), f"p{each * 100:g}") for each in (0.5, 0.95, 0.99)),
                "From the head of a request to the first event of its stream, as its caller saw it.",
            ),
            Panel(
                "Time between tokens",
                Unit.SECONDS,
                tuple(Query(quantile(each, of.BETWEEN_TOKENS), f"p{each * 100:g}") for each in (0.5, 0.95, 0.99)),
                "The mean of each stream.",
            ),
            Panel(
                "Duration",
                Unit.SECONDS,
                tuple(Query(quantile(each, of.DURATION), f"p{each * 100:g}") for each in (0.5, 0.95, 0.99)),
                "From the head of a request to the end of its answer.",
            ),
            Panel(
                "Tokens",
                Unit.TOKENS_PER_SECOND,
                (Query(tokens, "{{direction}}"),),
                "Tokens in and out, as the replicas count them.",
            ),
            Panel(
                "The gateway's own time, p99",
                Unit.SECONDS,
                (Query(quantile(0.99, of.OVERHEAD, "phase"), "{{phase}}"),),
                "What the gateway took before a replica was asked, step by step. A wait in the queue is not in it.",
            ),
        ),
    )


def _replicas() -> Row:
    return Row(
        "Replicas, as the gateway sees them",
        (
            Panel(
                "Up",
                Unit.COUNT,
                (Query(f"min by (backend) ({series(of.BACKEND_UP)})", "{{backend}}"),),
                "1: it may be asked.",
            ),
            Panel(
                "Under way, by replica",
                Unit.COUNT,
                (Query(summed(of.BACKEND_INFLIGHT, "backend"), "{{backend}}"),),
                "What each replica is answering for the gateways.",
            ),
            Panel(
                "Attempts",
                Unit.PER_SECOND,
                (Query(rate(of.ATTEMPTS, "backend"), "{{backend}}"),),
                "Requests that were sent to each replica.",
            ),
            Panel(
                "Breakers that are not closed",
                Unit.COUNT,
                (Query(f"max by (backend, state) ({series(of.BREAKER, NOT_CLOSED)})", "{{backend}} {{state}}"),),
                "`open`: not asked; `half_open`: one request tries it.",
            ),
        ),
    )


def _own() -> Row:
    """Return what the replicas tell of themselves; their series come through the gateway with a label `replica`."""
    hits, asked = "vllm:prefix_cache_hits_total", "vllm:prefix_cache_queries_total"
    return Row(
        "Replicas, by their own words",
        (
            _own_gauge("Running", "vllm:num_requests_running", "Requests in the replica's batch."),
            _own_gauge("Waiting", "vllm:num_requests_waiting", "Requests that wait inside the replica."),
            _own_gauge("KV cache in use", "vllm:kv_cache_usage_perc", "Near 1, it begins to preempt.", Unit.SHARE),
            _own_rate("Tokens made", "vllm:generation_tokens_total", "Output of each replica.", Unit.TOKENS_PER_SECOND),
            Panel(
                "Prefix cache hits",
                Unit.SHARE,
                (Query(share(_own_sum(hits), f"({_own_sum(asked)} > 0)"), "{{replica}}"),),
                "The share of prompt tokens that were in the cache.",
            ),
            _own_rate(
                "Preemptions", "vllm:num_preemptions_total", "Requests that were put back.", Unit.EVENTS_PER_SECOND
            ),
        ),
    )


def _own_gauge(title: str, name: str, about: str, unit: Unit = Unit.COUNT) -> Panel:
    return Panel(title, unit, (Query(f"max by (replica) ({of_replicas(name)})", "{{replica}}"),), about)


def _own_rate(title: str, name: str, about: str, unit: Unit) -> Panel:
    return Panel(title, unit, (Query(_own_sum(name), "{{replica}}"),), about)


def _own_sum(name: str) -> str:
    """Return a rate; several gateways tell of the same replica, so the largest counts."""
    return f"max by (replica) (sum by (instance, replica) (rate({name}{{{TARGETS}}}[{WINDOW}])))"


def _gateways() -> Row:
    return Row(
        "Gateways",
        (
            Panel(
                "Versions",
                Unit.COUNT,
                (Query(f"count by (version, python) ({series(of.BUILD_INFO)})", "{{version}}, Python {{python}}"),),
                "How many gateways run which version.",
            ),
            Panel(
                "Workers",
                Unit.COUNT,
                (Query(summed(of.WORKERS, "instance"), "{{instance}}"),),
                "Processes of each gateway that have answered the scrape.",
            ),
        ),
    )


FLEET = Board(
    "fleet",
    "vllm-gateway / Fleet",
    "What comes in, how quickly it is answered, and what each replica does.",
    (_now(), _traffic(), _replicas(), _own(), _gateways()),
)
