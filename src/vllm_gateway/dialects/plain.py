"""The shape of errors of the compatibility routes: FastAPI's `detail` and OpenAI's `error` in one object."""

from http import HTTPStatus
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from typing_extensions import override

from vllm_gateway import codec
from vllm_gateway.dialects.openai import OpenAI, error_object
from vllm_gateway.errors import BodyInvalid, BodyMalformed, FieldInvalid, GatewayError, ModelAmbiguous, ModelUnknown

M = TypeVar("M", bound=BaseModel)

_STATUSES: dict[type[GatewayError], int] = {
    ModelAmbiguous: HTTPStatus.CONFLICT,
    ModelUnknown: HTTPStatus.CONFLICT,
    BodyMalformed: HTTPStatus.UNPROCESSABLE_ENTITY,
    FieldInvalid: HTTPStatus.UNPROCESSABLE_ENTITY,
}
"""Where these routes have always answered with another status than OpenAI's."""
_LARGEST = 2**53
"""Integers beyond this are not the same to everybody who reads JSON, and cannot be written beyond 64 bits."""


class Plain(OpenAI):
    """Errors that readers of `detail` and readers of `error` both find."""

    @override
    def status(self, error: GatewayError) -> int:
        """Return the status that clients of these routes expect."""
        return _STATUSES.get(type(error), error.status)

    @override
    def fault(self, error: GatewayError, request_id: str) -> bytes:
        """Return `{"detail": sentence or list of faults, "error": {"message", "type", "param", "code"}}`."""
        return codec.dumps({"detail": _detail(error), "error": error_object(error)})

    @override
    def is_fault(self, value: object) -> bool:
        """Return False: a replica's error lacks `detail`, so it is written anew."""
        return False


def _detail(error: GatewayError) -> object:
    if isinstance(error, BodyInvalid):
        return error.detail
    if isinstance(error, BodyMalformed):
        return [{"type": "json_invalid", "loc": ["body"], "msg": error.message, "input": {}}]
    if isinstance(error, FieldInvalid):
        loc = ["body", error.param] if error.param else ["body"]
        return [{"type": "value_error", "loc": loc, "msg": error.message, "input": None}]
    return error.message


def read_as(model: type[M], fields: dict[str, Any]) -> M:
    """Return the fields as a body of a route.

    Raises:
        BodyInvalid: they are not one; `detail` tells every fault as FastAPI does.
    """
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise invalid(error) from None


def invalid(error: ValidationError) -> BodyInvalid:
    """Return the refusal of a body that failed validation."""
    faults = error.errors(include_url=False, include_context=False)
    return invalid_fields([{**fault, "loc": ["body", *fault["loc"]]} for fault in faults])


def invalid_fields(faults: list[dict[str, Any]], *, most: int = 20) -> BodyInvalid:
    """Return the refusal that tells `faults`, at most so many; what was sent is shown again only while it is short."""
    detail = [{**fault, "input": _short(fault.get("input"))} for fault in faults[:most]]
    first = faults[0]
    steps = [str(step) for step in first["loc"][1:] if _is_step(step)]
    place = ".".join(steps) or "body"
    return BodyInvalid(f"'{place}': {first['msg']}.", detail=detail, param=steps[0] if steps else None)


def missing(*names: str) -> BodyInvalid:
    """Return the refusal of a body that lacks fields."""
    return invalid_fields(
        [{"type": "missing", "loc": ["body", name], "msg": "Field required", "input": None} for name in names]
    )


def _is_step(step: object) -> bool:
    """Say whether a part of a location is a name or a place, and not the kind of value that was tried there."""
    return isinstance(step, int) or (isinstance(step, str) and step.isidentifier() and step not in {"str", "list"})


def _short(value: object) -> object:
    """Return what is small enough to be shown again."""
    if isinstance(value, str):
        shown = value if len(value) <= 100 else value[:100] + "..."  # noqa: PLR2004 - a line of text
        return shown.encode("utf-8", "replace").decode()
    if isinstance(value, int) and not -_LARGEST <= value <= _LARGEST:
        return None
    return value if isinstance(value, int | float) else None
