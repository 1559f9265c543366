"""What is measured of every request: once, when it is over. This is all that a request pays for the metrics."""

from collections import Counter
from collections.abc import Callable, Iterator

from vllm_gateway.clock import SystemClock
from vllm_gateway.exchange import Exchange
from vllm_gateway.outcomes import Outcome
from vllm_gateway.telemetry.metrics import definitions as of
from vllm_gateway.telemetry.metrics.series import OTHER, Capped, Labels, Snapshot, Spread, spread_out
from vllm_gateway.telemetry.usage.record import UsageRecord
from vllm_gateway.trail import Trail

MOST_MODELS = 100
MOST_KEYS = 200
_PHASES = (("auth",), ("read",), ("route",), ("connect",))
_STATUS_CLASSES = ("none", "1xx", "2xx", "3xx", "4xx", "5xx")
_WHOLE = frozenset(each.value for each in (Outcome.OK, Outcome.OK_RETRIED, Outcome.OK_RESUMED))


class _OfModel:
    """What is counted of the requests that one model answered."""

    __slots__ = ("between_tokens", "cached", "durations", "first_tokens", "input", "label", "output")

    def __init__(self, label: str) -> None:
        self.label = label
        self.input = self.cached = self.output = 0
        """Tokens; those of the prompt that came out of a prefix cache are apart."""
        self.durations = Spread(of.DURATION)
        self.first_tokens = Spread(of.FIRST_TOKEN)
        self.between_tokens = Spread(of.BETWEEN_TOKENS)


class _OfKey:
    """What is counted of the requests of one key."""

    __slots__ = ("input", "label", "output", "requests")

    def __init__(self, label: str) -> None:
        self.label = label
        self.requests = self.input = self.output = 0


class Requests:
    """Numbers of all requests so far."""

    def __init__(self, now: Callable[[], float] = SystemClock.now) -> None:
        self._now = now
        self._budgets: dict[str, tuple[float, float]] = {}
        """The share of its tokens for today that a key has used, and until when it is the same day."""
        self._models = Capped(MOST_MODELS)
        self._keys = Capped(MOST_KEYS)
        self._of_models: dict[str | None, _OfModel] = {}
        self._of_keys: dict[str, _OfKey] = {}
        self._ended: Counter[Labels] = Counter()
        self._errors: Counter[Labels] = Counter()
        self._disconnects: Counter[Labels] = Counter()
        self._rejections: Counter[Labels] = Counter()
        self._cache: Counter[Labels] = Counter()
        self._auth, self._read, self._route, self._connect = (Spread(of.OVERHEAD) for _ in _PHASES)
        self._queue_waits = Spread(of.QUEUE_WAIT)

    def see(self, exchange: Exchange, record: UsageRecord) -> None:
        """Take in an exchange that ends now, and what is kept of it."""
        trail = exchange.trail
        model = self._of_models.get(record.model) or self._new_model(record.model)
        self._ended[record.path, model.label, _STATUS_CLASSES[record.status // 100], record.outcome] += 1
        model.durations.observe(record.ended - record.started)
        self._see_tokens(model, record, trail)
        self._see_steps(trail)
        if trail.error:
            self._errors[trail.error,] += 1
        if trail.limit is not None:
            self._rejections[trail.limit] += 1
        if record.outcome == Outcome.CLIENT_GONE:
            self._disconnects[_phase(exchange),] += 1
        if record.cache is not None:
            self._cache[record.cache,] += 1

    def snapshot(self) -> Snapshot:
        """Return the numbers as of now; callers' keys stand for themselves by the ids of their callers."""
        counted = {
            of.REQUESTS: self._ended,
            of.ERRORS: self._errors,
            of.DISCONNECTS: self._disconnects,
            of.REJECTIONS: self._rejections,
            of.CACHE: self._cache,
        }
        found: Snapshot = {metric.name: dict(counts) for metric, counts in counted.items()}
        models, keys = self._of_models.values(), self._of_keys.values()
        found[of.TOKENS.name] = dict(pair for model in models for pair in _tokens_of(model))
        found[of.KEY_REQUESTS.name] = {(key.label,): key.requests for key in keys}
        found[of.KEY_TOKENS.name] = {
            (key.label, way): count for key in keys for way, count in (("input", key.input), ("output", key.output))
        }
        now = self._now()
        self._budgets = {key: each for key, each in self._budgets.items() if each[1] > now}
        found[of.BUDGET_USED.name] = {(key,): used for key, (used, _) in self._budgets.items()}
        found[of.DURATION.name] = spread_out(((each.label,), each.durations) for each in models)
        found[of.FIRST_TOKEN.name] = spread_out(((each.label,), each.first_tokens) for each in models)
        found[of.BETWEEN_TOKENS.name] = spread_out(((each.label,), each.between_tokens) for each in models)
        steps = (self._auth, self._read, self._route, self._connect)
        found[of.OVERHEAD.name] = spread_out(zip(_PHASES, steps, strict=True))
        found[of.QUEUE_WAIT.name] = spread_out([((), self._queue_waits)])
        return found

    def _new_model(self, name: str | None) -> _OfModel:
        label = self._models.label(name)
        if (found := self._of_models.get(label)) is None:
            found = self._of_models[label] = _OfModel(label)
        return found

    def _new_key(self, caller: str) -> _OfKey:
        label = self._keys.label(caller)
        if (found := self._of_keys.get(label)) is None:
            found = self._of_keys[label] = _OfKey(label)
        return found

    def _see_tokens(self, model: _OfModel, record: UsageRecord, trail: Trail) -> None:
        prompt_tokens, completion_tokens = record.prompt_tokens, record.completion_tokens
        cached = min(record.cached_tokens, prompt_tokens)
        model.input += prompt_tokens - cached
        model.cached += cached
        model.output += completion_tokens
        if record.caller:
            key = self._of_keys.get(record.caller) or self._new_key(record.caller)
            key.requests += 1
            key.input += prompt_tokens
            key.output += completion_tokens
            if trail.budget is not None and key.label != OTHER:
                self._budgets[key.label] = trail.budget
        first_s = record.first_token_s
        if first_s is None:
            return
        model.first_tokens.observe(first_s)
        if completion_tokens > 1 and record.outcome in _WHOLE:
            model.between_tokens.observe((record.ended - record.started - first_s) / (completion_tokens - 1))

    def _see_steps(self, trail: Trail) -> None:
        if trail.auth_s is not None:
            self._auth.observe(trail.auth_s)
        if trail.read_s is not None:
            self._read.observe(trail.read_s)
        if trail.route_s is not None:
            self._route.observe(trail.route_s)
        if trail.connect_s is not None:
            self._connect.observe(trail.connect_s)
        if trail.queue_s:
            self._queue_waits.observe(trail.queue_s)


def _tokens_of(model: _OfModel) -> Iterator[tuple[Labels, int]]:
    """Give the series of a model's tokens, if there were any."""
    if model.input or model.cached or model.output:
        yield (model.label, "input", "false"), model.input
        yield (model.label, "input", "true"), model.cached
        yield (model.label, "output", "false"), model.output


def _phase(exchange: Exchange) -> str:
    """Return how far an exchange had come when its caller left."""
    if exchange.asked is None:
        return "request"
    if not exchange.attempts:
        return "queue"
    return "answer" if exchange.trail.first_token_at is None else "stream"
