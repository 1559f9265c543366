"""Errors of the house's own routes, those of the framework included, in the shape of the route's clients."""

import logging
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match
from starlette.types import Scope

from vllm_gateway.dialects.openai import OpenAI
from vllm_gateway.dialects.plain import Plain, invalid_fields
from vllm_gateway.edge.announced import request_id
from vllm_gateway.edge.faults import fault_reply
from vllm_gateway.errors import (
    BodyMalformed,
    BodyTooLarge,
    GatewayError,
    InternalFault,
    MethodWrong,
    PathUnknown,
    RequestSlow,
)
from vllm_gateway.exchange import Dialect, Headers

log = logging.getLogger(__name__)

_OPENAI, _PLAIN = OpenAI(), Plain()
PLAIN_PATHS = frozenset({"/init_session", "/set_system_prompt", "/stop_session", "/api/models", "/api/healthz"})
"""Routes whose clients look for `detail`."""
_METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")


def dialect_of(path: str) -> Dialect:
    """Return the shape of errors that the clients of a route understand."""
    return _PLAIN if path in PLAIN_PATHS else _OPENAI


def answer_faults(house: FastAPI) -> None:
    """Have errors written by the one place that writes them."""
    house.add_exception_handler(GatewayError, _on_own)
    house.add_exception_handler(RequestValidationError, _on_invalid)
    house.add_exception_handler(HTTPException, _on_framework)
    house.add_exception_handler(Exception, _on_defect)


async def _on_own(request: Request, error: Exception) -> Response:
    if not isinstance(error, GatewayError):
        raise error
    return _reply(request, error)


async def _on_invalid(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    kept = ("type", "loc", "msg", "input")
    faults: list[dict[str, Any]] = [{name: fault.get(name) for name in kept} for fault in error.errors()]
    if faults[0]["type"] == "json_invalid":
        return _reply(request, BodyMalformed("The body is not valid JSON."))
    return _reply(request, invalid_fields([{**fault, "loc": list(fault["loc"])} for fault in faults]))


async def _on_framework(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", HTTPStatus.NOT_FOUND)
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = _allowed(request)
        return _reply(request, MethodWrong(f"This route takes {allowed} only.", allowed=allowed))
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return _reply(request, BodyTooLarge(str(getattr(error, "detail", ""))))
    if status == HTTPStatus.REQUEST_TIMEOUT:
        return _reply(request, RequestSlow(str(getattr(error, "detail", ""))))
    if status == HTTPStatus.BAD_REQUEST:
        return _reply(request, BodyMalformed("The body could not be read as JSON."))
    return _reply(request, PathUnknown("There is no such route here."))


async def _on_defect(request: Request, _: Exception) -> Response:
    """Answer where the gateway itself is to blame; the framework raises again, and the server logs the stack."""
    reply = _reply(request, InternalFault("Something went wrong inside the gateway."))
    log.error("request %s failed inside the gateway", reply.headers["x-request-id"])
    return reply


def _allowed(request: Request) -> str:
    """Return the methods that the path takes, over all routes: the framework names those of the first one only."""
    scope = {"type": "http", "path": request.scope["path"], "root_path": "", "headers": []}
    tried = ({**scope, "method": method} for method in _METHODS)
    allowed = [each["method"] for each in tried if _is_taken(request.app.routes, each)]
    return ", ".join(allowed)


def _is_taken(routes: Iterable[BaseRoute], scope: Scope) -> bool:
    return any(route.matches(scope)[0] == Match.FULL for route in routes)


def _reply(request: Request, error: GatewayError) -> Response:
    dialect = dialect_of(request.scope["path"])
    status, headers, body = fault_reply(error, dialect, request_id(request.scope["headers"]))
    return Response(body, status, headers=_text(headers))


def _text(headers: Headers) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in headers}
