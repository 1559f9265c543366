"""Error bodies as vLLM writes them, in its words and with its statuses."""

from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import ValidationError
from typing_extensions import override

from vllm_gateway import codec

_MOST_REPORTED = 10
_LONGEST_INPUT = 200
_INTERNAL_PLACES = frozenset({"str", "int", "float", "bool", "none", "list", "dict", "tuple"})


class Problem(Exception):
    """The request cannot be served; `body` is what the caller reads."""

    def __init__(
        self,
        message: str,
        *,
        status: int = HTTPStatus.BAD_REQUEST,
        kind: str = "BadRequestError",
        param: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = int(status)
        self.kind = kind
        self.param = param

    @property
    def body(self) -> bytes:
        """The JSON of it."""
        error = {"message": self.message, "type": self.kind, "param": self.param, "code": self.status}
        return codec.dumps({"error": error})

    def for_anthropic(self) -> "AnthropicProblem":
        """Return the same in Anthropic's shape."""
        return AnthropicProblem(self.message, status=self.status, kind=self.kind, param=self.param)


class AnthropicProblem(Problem):
    """A problem on a route of Anthropic's; vLLM reports those of types and of syntax in OpenAI's shape even there."""

    @property
    @override
    def body(self) -> bytes:
        return codec.dumps({"type": "error", "error": {"type": self.kind, "message": self.message}})


def invalid(message: str, param: str, value: object = None) -> Problem:
    """Return the problem of one parameter, which vLLM names twice."""
    shown = f"parameter={param}" if value is None else f"parameter={param}, value={value}"
    return Problem(f"{message} ({shown})", param=param)


def unknown_model(model: str, served: Iterable[str]) -> Problem:
    """Return the problem of a model that is not served here."""
    return Problem(
        f"The model `{model}` does not exist. Valid aliases: {', '.join(served)}.",
        status=HTTPStatus.NOT_FOUND,
        kind="NotFoundError",
        param="model",
    )


def not_supported(message: str) -> Problem:
    """Return the problem of something that vLLM can do and the sim cannot."""
    return Problem(message, status=HTTPStatus.NOT_IMPLEMENTED, kind="NotImplementedError")


def overloaded() -> Problem:
    """Return the problem of a line that is full."""
    return Problem(
        "The engine is currently busy and cannot accept new requests. "
        "Please try again later or on a different instance.",
        status=HTTPStatus.SERVICE_UNAVAILABLE,
        kind="Service Unavailable",
    )


def malformed(error: codec.MalformedJson) -> Problem:
    """Return the problem of a body that is not JSON."""
    details = {
        "type": "json_invalid",
        "loc": ("body", error.pos),
        "msg": "JSON decode error",
        "input": {},
        "ctx": {"error": error.msg},
    }
    return _validation([details])


def mismatched(error: ValidationError) -> Problem:
    """Return the problem of fields with wrong types."""
    return _validation([{**found, "loc": ("body", *found["loc"])} for found in error.errors(include_url=False)])


def missing_body() -> Problem:
    """Return the problem of a body that is not there."""
    return _validation([{"type": "missing", "loc": ("body",), "msg": "Field required", "input": None}])


def wrong_type(place: tuple[str | int, ...], message: str, given: object) -> Problem:
    """Return the problem of a value that is of no type that is accepted there."""
    return _validation([{"type": "type_error", "loc": ("body", *place), "msg": message, "input": given}])


def missing(given: object, *names: str) -> Problem:
    """Return the problem of fields that are not there, of which one is needed."""
    return _validation(
        [{"type": "missing", "loc": ("body", name), "msg": "Field required", "input": given} for name in names]
    )


def wrong_media_type() -> Problem:
    """Return the problem of a body that is not announced as JSON."""
    text = "1 validation error:\n  Unsupported Media Type: Only 'application/json' is allowed"
    return Problem(text, kind="Bad Request")


def in_band(message: str = "Internal server error", status: int = HTTPStatus.INTERNAL_SERVER_ERROR) -> bytes:
    """Return the event that ends a stream which failed; its JSON has spaces because vLLM's has."""
    quoted = codec.dumps(message).decode()
    text = f'{{"error": {{"message": {quoted}, "type": "InternalServerError", "param": null, "code": {int(status)}}}}}'
    return b"data: " + text.encode() + b"\n\n"


def _validation(errors: Sequence[dict[str, Any]]) -> Problem:
    label = "error" if len(errors) == 1 else "errors"
    lines = [f"  {_shown(error)}" for error in errors[:_MOST_REPORTED]]
    if len(errors) > _MOST_REPORTED:
        lines.append(f"  ...and {len(errors) - _MOST_REPORTED} more {label}")
    message = "\n".join([f"{len(errors)} validation {label}:", *lines])
    return Problem(message, kind="Bad Request", param=_place(errors[0]["loc"]))


def _shown(error: dict[str, Any]) -> str:
    shown = {**error, "loc": _place(error["loc"]), "input": _summary(error.get("input"))}
    return str(shown)


def _place(loc: Sequence[object]) -> str:
    known = [str(part) for part in loc if not _is_internal(str(part))]
    return ".".join(known or map(str, loc))


def _is_internal(part: str) -> bool:
    return part[:1].isupper() or part.lower() in _INTERNAL_PLACES or any(sign in part for sign in "[](){}")


def _summary(value: object) -> str:
    if isinstance(value, list | tuple | set | dict):
        return f"<{type(value).__name__} of {len(value)} items>"
    text = str(value)
    return text if len(text) <= _LONGEST_INPUT else text[:_LONGEST_INPUT] + "...[truncated]"
