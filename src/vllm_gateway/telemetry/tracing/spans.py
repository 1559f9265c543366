"""The spans of a request that is over: its own, one for what the model did, and one for each replica that was asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus

from vllm_gateway.exchange import Exchange
from vllm_gateway.outcomes import Outcome
from vllm_gateway.telemetry.tracing import names
from vllm_gateway.telemetry.usage.record import used_by
from vllm_gateway.trail import Call, Trace, new_span

Value = str | int | float | bool
_WELL = frozenset({Outcome.OK, Outcome.OK_RETRIED, Outcome.OK_RESUMED, Outcome.CLIENT_GONE})
_WELL_CALLED = frozenset({"ok", "cancelled"})
_X_CACHE = b"x-cache"
_MOST_CHARACTERS = 256


class Kind(Enum):
    """Which side of a call a span is."""

    SERVER = auto()
    CLIENT = auto()


@dataclass(frozen=True, slots=True)
class Span:
    """One span, whole; times are wall times."""

    name: str
    kind: Kind
    id: int
    parent: int
    """0: it has none."""
    is_parent_remote: bool
    began: float
    ended: float
    attributes: dict[str, Value]
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class Story:
    """What a thread makes the spans of: taken from an exchange when it is over, and of no use to anybody else."""

    trace: Trace
    outcome: Outcome
    status: int
    route: str
    path: str
    """The replicas' route."""
    began: float
    """On the gateway's clock, as all others."""
    ended: float
    calls: Sequence[Call]
    error: str
    server: dict[str, Value | None]
    model: dict[str, Value | None]


def story_of(exchange: Exchange, outcome: Outcome, trace: Trace, *, caller: str, content_bytes: int = 0) -> Story:
    """Return what is told of an exchange that ends now; `caller` is who asked.

    Nothing of what was said is in it, but for the beginning of the body where `content_bytes` says so.
    """
    trail, asked = exchange.trail, exchange.asked
    return Story(
        trace,
        outcome,
        exchange.status,
        exchange.operation.path,
        asked.path if asked is not None else exchange.operation.path,
        exchange.started,
        trail.now(),
        tuple(trail.calls),
        trail.error,
        {
            names.REQUEST_ID: exchange.id,
            names.OUTCOME: outcome.value,
            names.CALLER: caller or None,
            names.REPLICA: exchange.replica,
            names.ATTEMPTS: exchange.attempts if exchange.attempts > 1 else None,
            names.RESUMED: exchange.resumed or None,
            names.CACHE: next((value.decode("latin-1") for name, value in exchange.told if name == _X_CACHE), None),
            names.AUTH_S: trail.auth_s,
            names.QUEUE_S: trail.queue_s or None,
        },
        _model_told(exchange, content_bytes),
    )


def spans_of(story: Story, *, wall: float) -> list[Span]:
    """Return the spans of a story; `wall` is what a wall clock shows at 0 of the gateway's."""
    trace = story.trace
    server = {
        names.METHOD: "POST",
        names.ROUTE: story.route,
        names.SCHEME: "http",
        names.STATUS: story.status or None,
        names.ERROR: story.error or None,
        **story.server,
    }
    is_error = story.outcome not in _WELL and (story.status >= HTTPStatus.INTERNAL_SERVER_ERROR or _is_broken(story))
    whole = Span(
        f"POST {story.route}",
        Kind.SERVER,
        trace.span,
        trace.parent,
        is_parent_remote=True,
        began=wall + story.began,
        ended=wall + story.ended,
        attributes=_said(server),
        is_error=is_error,
    )
    if not story.calls:
        return [whole]
    model = _model_span(story, trace.span, wall)
    return [whole, model, *(_call_span(call, number, model, story, wall) for number, call in enumerate(story.calls))]


def _is_broken(story: Story) -> bool:
    """Say whether an answer that had begun broke off."""
    return story.status == HTTPStatus.OK and bool(story.error)


def _model_told(exchange: Exchange, content_bytes: int) -> dict[str, Value | None]:
    asked = exchange.asked
    if asked is None or not exchange.trail.calls:
        return {}
    usage, first = used_by(exchange), exchange.trail.first_token_at
    told: dict[str, Value | None] = {
        names.REQUEST_MODEL: asked.model or exchange.model,
        names.RESPONSE_MODEL: exchange.model,
        names.STREAM: asked.stream,
        names.INPUT_TOKENS: usage.prompt_tokens or None,
        names.OUTPUT_TOKENS: usage.completion_tokens or None,
        names.CACHED_TOKENS: usage.cached_tokens or None,
        names.FIRST_CHUNK_S: None if first is None else max(0.0, first - exchange.trail.calls[0].began),
    }
    for field, (name, kind) in names.WISHES.items():
        value = asked.fields.get(field)
        if value is not None and type(value) in {kind, int}:
            told[name] = kind(value)
    if content_bytes:
        told[names.CONTENT] = exchange.body[:content_bytes].decode("utf-8", "replace")
    return told


def _model_span(story: Story, parent: int, wall: float) -> Span:
    """Return the span of what was asked of the model, over all the replicas that were asked."""
    operation, model = names.operation_of(story.path), story.model.get(names.REQUEST_MODEL)
    is_error = story.outcome not in _WELL
    told = {
        names.OPERATION: operation,
        names.PROVIDER: "vllm",
        names.ERROR: (story.error or story.outcome.value) if is_error else None,
        **story.model,
    }
    return Span(
        f"{operation} {model}" if model else operation,
        Kind.CLIENT,
        new_span(),
        parent,
        is_parent_remote=False,
        began=wall + story.calls[0].began,
        ended=wall + story.ended,
        attributes=_said(told, whole=names.CONTENT),
        is_error=is_error,
    )


def _call_span(call: Call, number: int, model: Span, story: Story, wall: float) -> Span:
    is_error = bool(call.result) and call.result not in _WELL_CALLED
    told = {
        names.METHOD: "POST",
        names.PATH: call.path,
        names.REPLICA: call.replica,
        names.STATUS: int(call.status) or None,
        names.RESENT: number or None,
        names.ERROR: call.result if is_error else None,
        names.CONNECT_S: None if call.connected_at is None else call.connected_at - call.began,
    }
    return Span(
        "POST",
        Kind.CLIENT,
        call.span or new_span(),
        model.id,
        is_parent_remote=False,
        began=wall + call.began,
        ended=wall + (call.ended or story.ended),
        attributes=_said(told),
        is_error=is_error,
    )


def _said(told: dict[str, Value | None], *, whole: str = "") -> dict[str, Value]:
    """Return what is known; of texts the beginning, but for the one that has a length of its own."""
    return {
        name: value[:_MOST_CHARACTERS] if isinstance(value, str) and name != whole else value
        for name, value in told.items()
        if value is not None
    }
