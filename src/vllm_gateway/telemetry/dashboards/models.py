"""The dashboard of the models: how much each is asked, how quickly it answers, what it makes."""

from vllm_gateway.telemetry.dashboards.board import Board, Look, Panel, Query, Row, Unit, Variable
from vllm_gateway.telemetry.dashboards.fleet import FAILED
from vllm_gateway.telemetry.dashboards.promql import WINDOW, increase, quantile, rate, series
from vllm_gateway.telemetry.metrics import definitions as of
from vllm_gateway.telemetry.metrics.definitions import Metric

_CHOSEN = 'model=~"$model"'
_LEGEND = "{{model}}"


def _spread(title: str, metric: Metric, about: str) -> Panel:
    return Panel(
        title,
        Unit.SECONDS,
        (
            Query(quantile(0.5, metric, "model", match=_CHOSEN), f"{_LEGEND} p50"),
            Query(quantile(0.95, metric, "model", match=_CHOSEN), f"{_LEGEND} p95"),
        ),
        about,
    )


def _work() -> Row:
    failed = rate(of.REQUESTS, "model", match=f"{_CHOSEN}, {FAILED}")
    every = rate(of.REQUESTS, "model", match=_CHOSEN)
    return Row(
        "Work",
        (
            Panel(
                "Requests", Unit.PER_SECOND, (Query(every, _LEGEND),), "Requests that ended, by the answering model."
            ),
            Panel(
                "Failed",
                Unit.SHARE,
                (Query(f"({failed} or 0 * {every}) / ({every} > 0)", _LEGEND),),
                "The share of requests that the fleet or the gateway failed.",
            ),
            _tokens("Tokens in", "input", "Prompts, with what was cached."),
            _tokens("Tokens out", "output", "Answers."),
            Panel(
                "Prompt tokens from a cache",
                Unit.SHARE,
                (Query(_cached(), _LEGEND),),
                "The share that the replicas had in their prefix caches.",
            ),
        ),
    )


def _tokens(title: str, direction: str, about: str) -> Panel:
    match = f'{_CHOSEN}, direction="{direction}"'
    return Panel(title, Unit.TOKENS_PER_SECOND, (Query(rate(of.TOKENS, "model", match=match), _LEGEND),), about)


def _cached() -> str:
    incoming = f'{_CHOSEN}, direction="input"'
    cached = rate(of.TOKENS, "model", match=f'{incoming}, cached="true"')
    return f"{cached} / ({rate(of.TOKENS, 'model', match=incoming)} > 0)"


def _speed() -> Row:
    buckets = f"sum by (le) (increase({series(of.FIRST_TOKEN, _CHOSEN, part='_bucket')}[{WINDOW}]))"
    return Row(
        "Speed",
        (
            _spread("Time to first token", of.FIRST_TOKEN, "Streams only, as their callers saw it."),
            _spread("Time between tokens", of.BETWEEN_TOKENS, "The mean of each stream."),
            _spread("Duration", of.DURATION, "From the head of a request to the end of its answer."),
            Panel(
                "First tokens, how they spread",
                Unit.SECONDS,
                (Query(buckets, "{{le}}"),),
                "Two bands mean two kinds of requests: with a long prompt and a short one, cached and not.",
                Look.HEATMAP,
            ),
        ),
    )


def _together() -> Row:
    return Row(
        "In the chosen time",
        (
            Panel(
                "Models",
                Unit.COUNT,
                (
                    Query(increase(of.REQUESTS, "$__range", "model", match=_CHOSEN), "Requests"),
                    Query(_range_tokens("input"), "Tokens in"),
                    Query(_range_tokens("output"), "Tokens out"),
                ),
                "Sums over the time that the dashboard shows.",
                Look.TABLE,
            ),
        ),
    )


def _range_tokens(direction: str) -> str:
    return increase(of.TOKENS, "$__range", "model", match=f'{_CHOSEN}, direction="{direction}"')


MODELS = Board(
    "models",
    "vllm-gateway / Models",
    "How much each model is asked, how quickly it answers, what it makes.",
    (_work(), _speed(), _together()),
    (Variable("model", "Model", query=f"label_values({of.REQUESTS.name}, model)"),),
)
