"""Every metric of the gateway: its name, what it says, its labels, its buckets.

The page that Prometheus reads and docs/metrics.md are made from this list. A name that stands here stays: dashboards
and alerts of others are built on it.
"""

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What a metric is, in Prometheus' terms."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Fold(Enum):
    """How the values that several workers tell of one series become one value."""

    SUM = "sum"
    MAX = "max"
    MIN = "min"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    """Upper bounds, the last one of all left out."""
    fold: Fold = Fold.SUM


_C, _G, _H = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM

LONG_S = tuple(round(0.01 * 2**power, 2) for power in range(17))
"""The bounds of OpenTelemetry's generative AI durations, and three more: a stream may take minutes."""
FIRST_TOKEN_S = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
    *(30.0, 60.0),
)
"""The same convention's bounds for first tokens, and two more up to the usual time-out."""
BETWEEN_TOKENS_S = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)
"""The same convention's bounds for one output token, and two more for small models."""
OVERHEAD_S = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05)

BUILD_INFO = Metric(
    "gateway_build_info", _G, "Always 1; the labels say what runs.", ("version", "python"), fold=Fold.MAX
)
WORKERS = Metric("gateway_workers", _G, "Processes whose numbers are in this page.")

REQUESTS = Metric(
    "gateway_requests_total",
    _C,
    "Requests that are over, by the path, the model that answered (`other` where none did), the class of the status "
    "(`none` where there was no reply) and the outcome. Each request has exactly one outcome.",
    ("route", "model", "status_class", "outcome"),
)
ERRORS = Metric(
    "gateway_errors_total", _C, "Requests that failed, by the code of the error that the caller was told.", ("code",)
)
DURATION = Metric(
    "gateway_request_duration_seconds",
    _H,
    "From the head of a request to the end of its answer, however it ended.",
    ("model",),
    LONG_S,
)
FIRST_TOKEN = Metric(
    "gateway_time_to_first_token_seconds",
    _H,
    "From the head of a request to the first event of its stream that is no comment. Streams only.",
    ("model",),
    FIRST_TOKEN_S,
)
BETWEEN_TOKENS = Metric(
    "gateway_inter_token_latency_seconds",
    _H,
    "The mean time between two tokens of one stream: from its first event to its end, by the tokens behind the first. "
    "One value for each stream that was answered whole, not one for each token.",
    ("model",),
    BETWEEN_TOKENS_S,
)
OVERHEAD = Metric(
    "gateway_overhead_seconds",
    _H,
    "What the gateway itself took before a replica was asked. `auth`: the key; `read`: the body, understood and "
    "checked; `route`: limits, conversations, the choice of a replica, without any wait for one; `connect`: a "
    "connection to it.",
    ("phase",),
    OVERHEAD_S,
)
TOKENS = Metric(
    "gateway_tokens_total",
    _C,
    "Tokens as the replicas counted them, by direction (`input`, `output`) and whether they came out of a replica's "
    "prefix cache.",
    ("model", "direction", "cached"),
)
KEY_REQUESTS = Metric(
    "gateway_key_requests_total",
    _C,
    "Requests by the name of the caller's key, or its id where it has none. `other`: keys beyond the first 200.",
    ("key",),
)
KEY_TOKENS = Metric(
    "gateway_key_tokens_total", _C, "Tokens by the name of the caller's key, and direction.", ("key", "direction")
)
BUDGET_USED = Metric(
    "gateway_budget_used_ratio",
    _G,
    "The share of its `tokens_per_day` that a key has used or reserved, as its last request of today was told. Only of "
    "keys with such a limit.",
    ("key",),
    (),
    Fold.MAX,
)
DISCONNECTS = Metric(
    "gateway_client_disconnects_total",
    _C,
    "Callers who left: while they sent the `request`, in the `queue` before a replica was asked, before the `answer` "
    "began, or in the middle of the `stream`.",
    ("phase",),
)
REJECTIONS = Metric(
    "gateway_ratelimit_rejections_total",
    _C,
    "Requests that a limit refused, by the limit's setting and whose it is (`key`, `ip`, `model`, `all`).",
    ("limit", "scope"),
)
LIMITER = Metric(
    "gateway_limiter_fallbacks_total",
    _C,
    "Times that limits could not be counted where they are kept. `fail_open`: this gateway counted alone; "
    "`fail_closed`: the request was refused; `unsettled`, `undone`: what was reserved stays as it is.",
    ("result",),
)
STORE_ERRORS = Metric(
    "gateway_store_errors_total", _C, "Operations that a store did not do, by what it keeps.", ("store",)
)
CACHE = Metric(
    "gateway_cache_events_total",
    _C,
    "Answers by where they came from, where a cache is on: `hit`, `miss` or `bypass`.",
    ("result",),
)

INFLIGHT = Metric("gateway_inflight_requests", _G, "Requests under way.")
QUEUE_DEPTH = Metric("gateway_queue_depth", _G, "Requests that wait for a replica with room.")
QUEUE_WAIT = Metric(
    "gateway_queue_wait_seconds",
    _H,
    "How long requests waited for a replica with room, or for one to wake up. Only those that had to.",
    buckets=LONG_S,
)

ATTEMPTS = Metric(
    "gateway_upstream_attempts_total",
    _C,
    "Requests that were sent to a replica. `ok`: answered whole; `cancelled`: the caller left, or another replica was "
    "quicker; otherwise the code of the error.",
    ("backend", "result"),
)
BACKEND_UP = Metric(
    "gateway_backend_up", _G, "1: the replica may be asked, by every worker.", ("backend",), (), Fold.MIN
)
BACKEND_INFLIGHT = Metric(
    "gateway_backend_inflight_requests", _G, "Requests that a replica is answering.", ("backend",)
)
BREAKER = Metric(
    "gateway_breaker_state",
    _G,
    "1 for the state that a replica's circuit breaker is in: `closed`, `open` or `half_open`. Two are 1 while workers "
    "disagree.",
    ("backend", "state"),
    (),
    Fold.MAX,
)
EJECTIONS = Metric(
    "gateway_backend_ejections_total", _C, "Times that a replica was taken out, by what was seen.", ("backend", "cause")
)
RESUMES = Metric(
    "gateway_resumes_total",
    _C,
    "Streams that broke off in the middle, by what became of them (`resumed` by another replica, `completed` because "
    "only the end was missing, `failed`, `unable`: not to be continued safely) and the code of what broke them.",
    ("outcome", "reason"),
)
HEDGES = Metric(
    "gateway_hedges_total",
    _C,
    "Requests whose first token was late: a second replica was `asked`, and has `won` some of them.",
    ("result",),
)

METRICS: tuple[Metric, ...] = (
    BUILD_INFO,
    WORKERS,
    REQUESTS,
    ERRORS,
    DURATION,
    FIRST_TOKEN,
    BETWEEN_TOKENS,
    OVERHEAD,
    TOKENS,
    KEY_REQUESTS,
    KEY_TOKENS,
    BUDGET_USED,
    DISCONNECTS,
    REJECTIONS,
    LIMITER,
    STORE_ERRORS,
    CACHE,
    INFLIGHT,
    QUEUE_DEPTH,
    QUEUE_WAIT,
    ATTEMPTS,
    BACKEND_UP,
    BACKEND_INFLIGHT,
    BREAKER,
    EJECTIONS,
    RESUMES,
    HEDGES,
)
"""All of them, in the order of the page."""
BY_NAME = {metric.name: metric for metric in METRICS}
