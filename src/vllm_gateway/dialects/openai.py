"""OpenAI's shapes, as vLLM speaks them: chat, completions, responses, and everything around them."""

from http import HTTPStatus
from typing import Any

from typing_extensions import override

from vllm_gateway import codec
from vllm_gateway.dialects.sse import Marks, Sighting
from vllm_gateway.errors import BodyInvalid, Failure, GatewayError
from vllm_gateway.exchange import Headers, Usage

_MOST_PARSED_BYTES = 256 * 1024
"""Answers larger than this are embeddings or token lists; parsing them would hold up everybody else."""
_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}


class OpenAI:
    """Errors as OpenAI's client libraries read them: https://platform.openai.com/docs/guides/error-codes."""

    def status(self, error: GatewayError) -> int:
        """Return the error's own status; these clients read 400 where a field is wrong."""
        return HTTPStatus.BAD_REQUEST if isinstance(error, BodyInvalid) else error.status

    def fault(self, error: GatewayError, request_id: str) -> bytes:  # noqa: ARG002 - this shape carries the id in a header
        """Return `{"error": {"message", "type", "param", "code"}}`."""
        return codec.dumps({"error": error_object(error)})

    def fault_event(self, error: GatewayError, request_id: str) -> bytes:
        """Return the same object as one event; a client library raises on it."""
        return b"data: " + self.fault(error, request_id) + b"\n\n"

    def is_fault(self, value: object) -> bool:
        """Say whether `value` is `{"error": {"message": str, ...}}`."""
        error = value.get("error") if isinstance(value, dict) else None
        return isinstance(error, dict) and isinstance(error.get("message"), str)

    def usage(self, body: bytes) -> Usage | None:
        """Read `usage` at the top of an answer."""
        return usage_in(body)

    def reply_headers(self, request_id: str) -> Headers:
        """Return the header in which the client libraries look for the id."""
        return [(b"x-request-id", request_id.encode())]


class OpenAIResponses(OpenAI):
    """The Responses API: the same errors, other events."""

    @override
    def fault_event(self, error: GatewayError, request_id: str) -> bytes:
        """Return the `error` event of https://platform.openai.com/docs/api-reference/responses-streaming."""
        body = error_object(error)
        event = {"type": "error", "code": body["code"], "message": body["message"], "param": body["param"]}
        return b"event: error\ndata: " + codec.dumps(event) + b"\n\n"


def error_object(error: GatewayError) -> dict[str, Any]:
    """Return `{"message", "type", "param", "code"}`."""
    kind = _TYPES.get(error.status) or ("server_error" if isinstance(error, Failure) else "invalid_request_error")
    return {"message": error.message, "type": kind, "param": error.param, "code": error.code}


def usage_of(value: object) -> Usage | None:
    """Read a usage object of any of the routes, Anthropic's among them; None when it is none."""
    if not isinstance(value, dict):
        return None
    details = value.get("prompt_tokens_details") or value.get("input_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else value.get("cache_read_input_tokens")
    return Usage(
        prompt_tokens=_count(value.get("prompt_tokens", value.get("input_tokens"))),
        completion_tokens=_count(value.get("completion_tokens", value.get("output_tokens"))),
        cached_tokens=_count(cached),
    )


def usage_in(body: bytes) -> Usage | None:
    """Read the usage out of an answer in one piece; None when there is none, or when the answer is no short one."""
    start = body.rfind(b'"usage":{')
    if start < 0 or len(body) > _MOST_PARSED_BYTES:
        return None
    answer = _read(b"{" + body[start:])  # an object as well, if it begins in the middle of one that has no other around
    if answer is None:
        answer = _read(body)
    return usage_of(answer.get("usage")) if isinstance(answer, dict) else None


def _read(text: bytes) -> Any:  # noqa: ANN401 - JSON is any of its types
    try:
        return codec.loads(text)
    except codec.MalformedJson:
        return None


def _count(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def sight_chunk(chunk: dict[str, Any]) -> Sighting:
    """Say what a chunk of a chat or completions stream tells."""
    choices = chunk.get("choices")
    if not isinstance(choices, list):
        return Sighting(is_broken="error" in chunk)
    ended = [choice for choice in choices if isinstance(choice, dict) and choice.get("finish_reason") is not None]
    return Sighting(
        finished=tuple(index for choice in ended if isinstance(index := choice.get("index", 0), int)),
        is_broken=any(choice["finish_reason"] in ("abort", "error") for choice in ended),
        usage=usage_of(chunk.get("usage")),
        is_usage_only=not choices and "usage" in chunk,
        fingerprint=fingerprint if isinstance(fingerprint := chunk.get("system_fingerprint"), str) else None,
    )


def sight_response_event(event: dict[str, Any]) -> Sighting:
    """Say what an event of a Responses stream tells."""
    kind = event.get("type")
    if kind in ("response.failed", "error") or (kind is None and "error" in event):
        return Sighting(is_broken=True)
    if kind not in ("response.completed", "response.incomplete"):
        return Sighting()
    response = event.get("response")
    usage = response.get("usage") if isinstance(response, dict) else None
    return Sighting(finished=(0,), is_end=True, usage=usage_of(usage))


CHUNKS = Marks(
    late=(b'"finish_reason":"', b'"finish_reason": "', b'data: {"error"', b"data: [DONE]"),
    ending=b"data: [DONE]\n\n",
    sight=sight_chunk,
)
RESPONSE_EVENTS = Marks(
    late=(b"event: response.completed", b"event: response.incomplete", b"event: response.failed", b"event: error"),
    ending=b"",
    sight=sight_response_event,
)
