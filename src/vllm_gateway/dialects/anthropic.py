"""Anthropic's shapes: the Messages API that vLLM offers beside OpenAI's."""

from typing import Any

from vllm_gateway import codec
from vllm_gateway.dialects.openai import usage_in, usage_of
from vllm_gateway.dialects.sse import Marks, Sighting
from vllm_gateway.errors import GatewayError
from vllm_gateway.exchange import Headers, Usage

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    408: "invalid_request_error",
    413: "request_too_large",
    415: "invalid_request_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
    431: "request_too_large",
    503: "overloaded_error",
    504: "timeout_error",
}


class Anthropic:
    """Errors as Anthropic's client libraries read them: https://docs.anthropic.com/en/api/errors."""

    def status(self, error: GatewayError) -> int:
        """Return the error's own status."""
        return error.status

    def fault(self, error: GatewayError, request_id: str) -> bytes:
        """Return `{"type": "error", "error": {"type", "message"}, "request_id"}`."""
        body = {"type": _TYPES.get(error.status, "api_error"), "message": error.message}
        return codec.dumps({"type": "error", "error": body, "request_id": request_id})

    def fault_event(self, error: GatewayError, request_id: str) -> bytes:
        """Return the same object as an `error` event."""
        return b"event: error\ndata: " + self.fault(error, request_id) + b"\n\n"

    def is_fault(self, value: object) -> bool:
        """Say whether `value` is `{"type": "error", "error": {"message": str, ...}}`."""
        error = value.get("error") if isinstance(value, dict) and value.get("type") == "error" else None
        return isinstance(error, dict) and isinstance(error.get("message"), str)

    def usage(self, body: bytes) -> Usage | None:
        """Read `usage` at the top of an answer."""
        return usage_in(body)

    def reply_headers(self, request_id: str) -> Headers:
        """Return both names of the header: this client library reads `request-id`, people look for `x-request-id`."""
        value = request_id.encode()
        return [(b"x-request-id", value), (b"request-id", value)]


def sight_event(event: dict[str, Any]) -> Sighting:
    """Say what an event of a Messages stream tells."""
    kind = event.get("type")
    if kind == "error" or (kind is None and "error" in event):
        return Sighting(is_broken=True)
    if kind == "message_stop":
        return Sighting(is_end=True)
    delta = event.get("delta")
    if kind != "message_delta" or not isinstance(delta, dict) or delta.get("stop_reason") is None:
        return Sighting()
    return Sighting(finished=(0,), usage=usage_of(event.get("usage")))


MESSAGE_EVENTS = Marks(
    late=(b'"stop_reason":"', b"event: error", b"event: message_stop"),
    ending=b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
    sight=sight_event,
)
