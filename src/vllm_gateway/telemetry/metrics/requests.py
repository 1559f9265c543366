"""What is measured of every request: once, when it is over. This is all that a request pays for the metrics."""

from collections import Counter
from collections.abc import Callable

from vllm_gateway.clock import SystemClock
from vllm_gateway.exchange import Exchange
from vllm_gateway.outcomes import Outcome
from vllm_gateway.telemetry.metrics import definitions as of
from vllm_gateway.telemetry.metrics.series import OTHER, Capped, Histogram, Labels, Snapshot
from vllm_gateway.telemetry.usage.record import used_by

MOST_MODELS = 100
MOST_KEYS = 200
_AUTH, _READ, _ROUTE, _CONNECT = ("auth",), ("read",), ("route",), ("connect",)
_X_CACHE = b"x-cache"
_STATUS_CLASSES = ("none", "1xx", "2xx", "3xx", "4xx", "5xx")
_WHOLE = frozenset(each.value for each in (Outcome.OK, Outcome.OK_RETRIED, Outcome.OK_RESUMED))


class Requests:
    """Numbers of all requests so far."""

    def __init__(self, now: Callable[[], float] = SystemClock.now) -> None:
        self._now = now
        self._budgets: dict[str, tuple[float, float]] = {}
        """The share of its tokens for today that a key has used, and until when it is the same day."""
        self._models = Capped(MOST_MODELS)
        self._keys = Capped(MOST_KEYS)
        self._ended: Counter[Labels] = Counter()
        self._errors: Counter[Labels] = Counter()
        self._tokens: Counter[Labels] = Counter()
        self._key_requests: Counter[Labels] = Counter()
        self._key_tokens: Counter[Labels] = Counter()
        self._disconnects: Counter[Labels] = Counter()
        self._rejections: Counter[Labels] = Counter()
        self._cache: Counter[Labels] = Counter()
        self._durations = Histogram(of.DURATION)
        self._first_tokens = Histogram(of.FIRST_TOKEN)
        self._between_tokens = Histogram(of.BETWEEN_TOKENS)
        self._overhead = Histogram(of.OVERHEAD)
        self._queue_waits = Histogram(of.QUEUE_WAIT)

    def see(self, exchange: Exchange, outcome: Outcome) -> None:
        """Take in an exchange that ends now."""
        trail = exchange.trail
        now = trail.now()
        model, how = self._models.label(exchange.model), str(outcome)
        status = _STATUS_CLASSES[exchange.status // 100]
        self._ended[exchange.operation.path, model, status, how] += 1
        self._durations.observe((model,), now - exchange.started)
        self._see_tokens(exchange, model, now, is_whole=how in _WHOLE)
        self._see_steps(exchange)
        if trail.error:
            self._errors[trail.error,] += 1
        if trail.limit is not None:
            self._rejections[trail.limit] += 1
        if outcome is Outcome.CLIENT_GONE:
            self._disconnects[_phase(exchange),] += 1
        for name, value in exchange.told:
            if name == _X_CACHE:
                self._cache[value.decode("latin-1"),] += 1

    def snapshot(self) -> Snapshot:
        """Return the numbers as of now; callers' keys stand for themselves by the ids of their callers."""
        counted = {
            of.REQUESTS: self._ended,
            of.ERRORS: self._errors,
            of.TOKENS: self._tokens,
            of.KEY_REQUESTS: self._key_requests,
            of.KEY_TOKENS: self._key_tokens,
            of.DISCONNECTS: self._disconnects,
            of.REJECTIONS: self._rejections,
            of.CACHE: self._cache,
        }
        spread = {
            of.DURATION: self._durations,
            of.FIRST_TOKEN: self._first_tokens,
            of.BETWEEN_TOKENS: self._between_tokens,
            of.OVERHEAD: self._overhead,
            of.QUEUE_WAIT: self._queue_waits,
        }
        found: Snapshot = {metric.name: dict(counts) for metric, counts in counted.items()}
        now = self._now()
        self._budgets = {key: each for key, each in self._budgets.items() if each[1] > now}
        found[of.BUDGET_USED.name] = {(key,): used for key, (used, _) in self._budgets.items()}
        for metric, histogram in spread.items():
            found[metric.name] = {labels: list(row) for labels, row in histogram.series.items()}
        return found

    def _see_tokens(self, exchange: Exchange, model: str, now: float, *, is_whole: bool) -> None:
        usage, caller = used_by(exchange), exchange.caller.id
        if usage.prompt_tokens or usage.completion_tokens:
            cached = min(usage.cached_tokens, usage.prompt_tokens)
            self._tokens[model, "input", "false"] += usage.prompt_tokens - cached
            self._tokens[model, "input", "true"] += cached
            self._tokens[model, "output", "false"] += usage.completion_tokens
        if caller:
            key = self._keys.label(caller)
            self._key_requests[key,] += 1
            self._key_tokens[key, "input"] += usage.prompt_tokens
            self._key_tokens[key, "output"] += usage.completion_tokens
            if exchange.trail.budget is not None and key != OTHER:
                self._budgets[key] = exchange.trail.budget
        first = exchange.trail.first_token_at
        if first is None:
            return
        self._first_tokens.observe((model,), first - exchange.started)
        if is_whole and usage.completion_tokens > 1:
            self._between_tokens.observe((model,), (now - first) / (usage.completion_tokens - 1))

    def _see_steps(self, exchange: Exchange) -> None:
        trail, observe = exchange.trail, self._overhead.observe
        if trail.auth_s is not None:
            observe(_AUTH, trail.auth_s)
        if trail.read_s is not None:
            observe(_READ, trail.read_s)
        if trail.route_s is not None:
            observe(_ROUTE, trail.route_s)
        if trail.connect_s is not None:
            observe(_CONNECT, trail.connect_s)
        if trail.queue_s:
            self._queue_waits.observe((), trail.queue_s)


def _phase(exchange: Exchange) -> str:
    """Return how far an exchange had come when its caller left."""
    if exchange.asked is None:
        return "request"
    if not exchange.attempts:
        return "queue"
    return "answer" if exchange.trail.first_token_at is None else "stream"
