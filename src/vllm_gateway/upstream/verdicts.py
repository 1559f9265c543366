"""What to make of an answer that is not a 200: whose fault it is, and whether another replica may do better."""

import re
from dataclasses import dataclass, replace
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from vllm_gateway import codec
from vllm_gateway.clock import SystemClock
from vllm_gateway.errors import (
    ContextTooLong,
    GatewayError,
    KeyRefused,
    ModelUnknown,
    ReplicaFailed,
    ReplicaOverloaded,
    ReplicaRefused,
    ReplicaSilent,
    RouteUnsupported,
)
from vllm_gateway.exchange import Headers, Operation
from vllm_gateway.upstream.health import Sign

MAX_ERROR_BYTES = 64 * 1024
"""More than this of an error is not read: no error needs it, and some have come to many megabytes."""
KEY_STATUSES = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
"""What a replica says that does not accept a key."""
_RETRY_AFTER_S = 1.0
"""What a caller is told where the replica does not say for how long; vLLM's queue moves within a second."""
_MOST_RETRY_AFTER_S = 120.0
"""Client libraries ignore a longer wait."""
_NOT_FOUND_TEXT = ("Not Found", "Method Not Allowed")
"""What the web framework under vLLM answers where it has no such route; vLLM's own 404 is about models."""
_OVER_CONTEXT = re.compile(
    r"maximum context length|context length is only|max_model_len|maximum model length"
    r"|longer than the model's context length|available context size"
)
"""How replicas say that a request does not fit into the model's context: vLLM in its versions, and others like it."""
_TOO_LONG = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer other than 200 means."""

    error: GatewayError
    """What the caller is told when no other replica does better."""
    is_retryable: bool = False
    """Another replica may do better."""
    sign: Sign | None = None
    """What it says about the replica's health."""
    lacks_route: bool = False
    """The replica does not offer this route at all."""
    passes: bool = False
    """The body itself is fit for the caller, byte for byte."""
    retry_after_s: float | None = None
    """For so long it asked not to be asked again; None: it did not say."""

    @property
    def is_overload(self) -> bool:
        """The replica is well and has too much to do."""
        return self.sign is Sign.OVERLOADED

    @property
    def is_context_length(self) -> bool:
        """A model with a larger context may take the request as it is."""
        return isinstance(self.error, ReplicaRefused) and self.error.is_context_length


def judge(status: int, headers: Headers, body: bytes, operation: Operation, *, path: str | None = None) -> Verdict:
    """Judge an answer whose status is not 200; `path` is the replica's route, where it is not the operation's own."""
    value = _json(body)
    verdict = _judge(status, headers, value, path or operation.path)
    passes = isinstance(verdict.error, ReplicaRefused) and operation.dialect.is_fault(value)
    return replace(verdict, passes=passes)


def callers_key_refused() -> Verdict:
    """Return what it means that a replica does not accept the caller's own key; it says nothing of the replica."""
    return Verdict(KeyRefused("The model server does not accept your API key. Check it, or ask for another one."))


def judge_own(status: int, headers: Headers, body: bytes, path: str) -> Verdict:
    """Judge an answer, whose status is not 200, to a question of the gateway's own."""
    return _judge(status, headers, _json(body), path)


def _judge(status: int, headers: Headers, value: object, path: str) -> Verdict:
    if status in {404, 405} and _detail(value) in _NOT_FOUND_TEXT:
        sentence = f"No model server offers {path} for this model."
        return Verdict(RouteUnsupported(sentence), is_retryable=True, lacks_route=True)
    if status == HTTPStatus.NOT_FOUND and _is_about_the_model(value):
        sentence = "The model is no longer served. Try again in a moment."
        return Verdict(ModelUnknown(sentence, param="model"), is_retryable=True)
    if status in KEY_STATUSES:
        sentence = "The model server does not accept the gateway's key. Whoever runs the gateway must set it right."
        return Verdict(ReplicaFailed(sentence), is_retryable=True, sign=Sign.FAILED)
    if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.NOT_IMPLEMENTED:
        return _judge_refusal(status, headers, value)
    return _judge_failure(status, headers)


def _judge_refusal(status: int, headers: Headers, value: object) -> Verdict:
    """Judge an answer that says that the caller is to blame."""
    message = _field(value, "message") or "The model server refused the request."
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        asked_s = _retry_after(headers)
        told_s = _RETRY_AFTER_S if asked_s is None else asked_s
        limited = ReplicaRefused(message, status=status, param=_field(value, "param"), retry_after_s=told_s)
        return Verdict(limited, is_retryable=True, sign=Sign.OVERLOADED, retry_after_s=asked_s)
    refused = _refusal(status, message, value, retry_after_s=_retry_after(headers))
    return Verdict(refused, is_retryable=status == HTTPStatus.REQUEST_TIMEOUT)


def _refusal(status: int, message: str, value: object, *, retry_after_s: float | None = None) -> ReplicaRefused:
    """Return the replica's judgement of a request."""
    is_too_long = status in _TOO_LONG and (
        _field(value, "code") == ContextTooLong.code or _OVER_CONTEXT.search(message) is not None
    )
    param = _field(value, "param")
    return ReplicaRefused(
        message, status=status, param=param, retry_after_s=retry_after_s, is_context_length=is_too_long
    )


def judge_event(event: bytes) -> Verdict:
    """Judge the JSON of an error event: vLLM's tell in `code` what the status would have been."""
    value = _json(event)
    error = value.get("error") if isinstance(value, dict) else None
    status = error.get("code") if isinstance(error, dict) else None
    message = _field(value, "message")
    if isinstance(status, int) and message and HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return Verdict(_refusal(status, message, value))
    failed = ReplicaFailed("The model server failed while it was answering.")
    return Verdict(failed, is_retryable=True, sign=Sign.FAILED)


def _judge_failure(status: int, headers: Headers) -> Verdict:
    """Judge an answer that says that the replica is to blame, or that is none at all."""
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        sentence = "The model server has too much to do. Try again in a moment."
        asked_s = _retry_after(headers)
        overloaded = ReplicaOverloaded(sentence, retry_after_s=_RETRY_AFTER_S if asked_s is None else asked_s)
        return Verdict(overloaded, is_retryable=True, sign=Sign.OVERLOADED, retry_after_s=asked_s)
    if status == HTTPStatus.GATEWAY_TIMEOUT:
        return Verdict(ReplicaSilent("The model server timed out."), is_retryable=True, sign=Sign.FAILED)
    return Verdict(ReplicaFailed("The model server failed."), is_retryable=True, sign=Sign.FAILED)


def _json(body: bytes) -> object:
    try:
        value: object = codec.loads(body)
    except codec.MalformedJson:
        return None
    return value


def _detail(value: object) -> object:
    return value.get("detail") if isinstance(value, dict) else None


def _field(value: object, name: str) -> str | None:
    """Return a string out of an error object, whichever of the two shapes it has."""
    error = value.get("error") if isinstance(value, dict) else None
    found = error.get(name) if isinstance(error, dict) else None
    return found if isinstance(found, str) else None


def _is_about_the_model(value: object) -> bool:
    """Say whether vLLM means that it does not serve the model; only some of its routes say so in `param`."""
    message = _field(value, "message") or ""
    return _field(value, "param") == "model" or (message.startswith("The model ") and "does not exist" in message)


def _retry_after(headers: Headers) -> float | None:
    """Return the seconds of `Retry-After`, in either of its forms; None where it is not there, or is neither."""
    found = dict(reversed(headers))
    value = found.get(b"retry-after", b"").strip()
    if not value:
        return None
    if value.isdigit():
        seconds = float(value)
    elif (until := _date(value)) is None:
        return None
    else:
        said_at = _date(found.get(b"date", b""))  # by its own clock, which need not be right
        seconds = until - (SystemClock.wall() if said_at is None else said_at)
    return min(max(0.0, seconds), _MOST_RETRY_AFTER_S)


def _date(value: bytes) -> float | None:
    """Return the seconds since the epoch of an HTTP date."""
    try:
        date = parsedate_to_datetime(value.decode("ascii"))
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
