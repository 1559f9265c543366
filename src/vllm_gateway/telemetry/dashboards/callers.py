"""The dashboard of the callers: who asks how much, who is refused, whose tokens for today are nearly used."""

from vllm_gateway.telemetry.dashboards.board import Board, Look, Panel, Query, Row, Unit, Variable
from vllm_gateway.telemetry.dashboards.promql import increase, rate, series, share
from vllm_gateway.telemetry.metrics import definitions as of

_CHOSEN = 'key=~"$key"'
_LEGEND = "{{key}}"
_MOST = 10
"""Lines in one picture that can still be told apart."""


def _use() -> Row:
    requests = f"topk({_MOST}, {rate(of.KEY_REQUESTS, 'key', match=_CHOSEN)})"
    tokens = f"topk({_MOST}, {rate(of.KEY_TOKENS, 'key', match=_CHOSEN)})"
    return Row(
        "Use",
        (
            Panel("Requests by key", Unit.PER_SECOND, (Query(requests, _LEGEND),), f"The {_MOST} that ask most."),
            Panel("Tokens by key", Unit.TOKENS_PER_SECOND, (Query(tokens, _LEGEND),), f"The {_MOST} that use most."),
            Panel(
                "Keys, in the chosen time",
                Unit.COUNT,
                (
                    Query(increase(of.KEY_REQUESTS, "$__range", "key", match=_CHOSEN), "Requests"),
                    Query(_tokens("input"), "Tokens in"),
                    Query(_tokens("output"), "Tokens out"),
                ),
                "Sums over the time that the dashboard shows. What was used in all is in the usage ledger.",
                Look.TABLE,
            ),
            Panel(
                "Tokens of today that are used",
                Unit.SHARE,
                (Query(f"max by (key) ({series(of.BUDGET_USED, _CHOSEN)})", _LEGEND),),
                "Of keys with `tokens_per_day`, as their last request was told. At 1, requests are refused.",
                warn=0.8,
                bad=0.95,
            ),
        ),
    )


def _tokens(direction: str) -> str:
    return increase(of.KEY_TOKENS, "$__range", "key", match=f'{_CHOSEN}, direction="{direction}"')


def _refused() -> Row:
    return Row(
        "Refused, failed, gone",
        (
            Panel(
                "Limits that refused",
                Unit.PER_SECOND,
                (Query(rate(of.REJECTIONS, "limit", "scope"), "{{limit}} of {{scope}}"),),
                "By the limit's setting, and whose it is.",
            ),
            Panel(
                "Errors by code",
                Unit.PER_SECOND,
                (Query(rate(of.ERRORS, "code"), "{{code}}"),),
                "What callers were told.",
            ),
            Panel(
                "Callers who left",
                Unit.PER_SECOND,
                (Query(rate(of.DISCONNECTS, "phase"), "while: {{phase}}"),),
                "Many in the queue or before the answer: they have waited too long.",
            ),
            Panel(
                "Replies by class",
                Unit.PER_SECOND,
                (Query(rate(of.REQUESTS, "status_class"), "{{status_class}}"),),
                "`none`: the caller had left before there was a reply.",
                is_stacked=True,
            ),
        ),
    )


def _routes() -> Row:
    hit = f"({rate(of.CACHE, match=_HIT)} or vector(0))"
    return Row(
        "How they ask",
        (
            Panel(
                "Requests by path",
                Unit.PER_SECOND,
                (Query(rate(of.REQUESTS, "route"), "{{route}}"),),
                "The routes that are used.",
            ),
            Panel(
                "Answers given again",
                Unit.SHARE,
                (Query(share(hit, f"({rate(of.CACHE)} > 0)"), "from the cache"),),
                "Where a cache is on: the share of answers that cost nothing.",
            ),
        ),
    )


_HIT = 'result="hit"'
CALLERS = Board(
    "callers",
    "vllm-gateway / Callers",
    "Who asks how much, who is refused, whose tokens for today are nearly used.",
    (_use(), _refused(), _routes()),
    (Variable("key", "Key", query=f"label_values({of.KEY_REQUESTS.name}, key)"),),
)
