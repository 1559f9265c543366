"""Everything that can go wrong with an exchange, and whose fault it is.

    GatewayError
    ├── Refusal                  the caller's fault; the text is safe to show
    │   ├── BodyMalformed        400  not JSON, or not a JSON object
    │   ├── FieldInvalid         400  one field is wrong; `param` names it
    │   ├── ContentRefused       400  a rule forbids what is said
    │   ├── KeyRefused           401  no key, or not one that is known
    │   ├── KeysThrottled        429  too many wrong keys came from the caller's address
    │   ├── ModelForbidden       403  the model is not on the allow-list
    │   ├── RequestStopped       403  whoever runs the gateway has stopped it
    │   ├── PathUnknown          404  no such route here
    │   ├── ModelUnknown         404  no replica serves the model
    │   ├── SessionUnknown       404  no such conversation of this caller
    │   ├── ResponseUnknown      404  no such kept response of this caller
    │   ├── MethodWrong          405  the route is there, the method is not
    │   ├── RequestSlow          408  the body did not come in time
    │   ├── ModelAmbiguous       404  several routes serve the model, and none was picked
    │   ├── SessionBusy          409  another turn of the conversation is under way
    │   ├── BodyTooLarge         413
    │   ├── ContextTooLong       413  a turn does not fit into the model's context
    │   ├── MediaTypeWrong       415  the body is not announced as JSON
    │   ├── IdempotencyConflict  422  the idempotency key was used for another request
    │   ├── BodyInvalid          422  fields of the body are wrong; `detail` lists them all
    │   ├── LimitReached         429  the caller has used what it may use for now
    │   │   └── BudgetSpent      429  and will not get more before tomorrow
    │   ├── HeadersTooLarge      431
    │   └── ReplicaRefused       4xx  the replica's own judgement of the request
    └── Failure                  ours, or a replica's; the text says no more than the caller can use
        ├── InternalFault        500  a defect of the gateway
        ├── RouteUnsupported     501  no replica of the model offers the route
        ├── ReplicaUnreachable   502  no connection could be made
        ├── ReplicaFailed        502  it answered with an error of its own, or with nonsense
        ├── ReplicaTruncated     502  the answer broke off
        ├── ReplicasUnusable     503  none is healthy
        ├── ReplicaOverloaded    503  it said so itself
        ├── QueueFull            503  all replicas are busy, and too many callers wait already
        ├── QueueTimeout         503  all replicas were busy for longer than the caller may wait
        ├── KeysUnchecked        503  it cannot be found out whether the key is a right one
        ├── BudgetUnchecked      503  it cannot be found out what is left of the caller's budget
        ├── StoreFailed          503  conversations cannot be read or written
        ├── Draining             503  the gateway is about to stop
        └── ReplicaSilent        504  nothing was heard in time

Stages raise these. Only `edge.faults` turns them into bytes, in the shape that the caller's client understands. The
status lives here, so that one fact has one status.
"""

import math
from http import HTTPStatus
from typing import Any, ClassVar

from vllm_gateway.outcomes import Outcome


class GatewayError(Exception):
    """Any way in which an exchange can fail; `str()` of it is what the caller reads."""

    status: int = HTTPStatus.INTERNAL_SERVER_ERROR
    code: ClassVar[str] = "internal_error"
    outcome: ClassVar[Outcome] = Outcome.INTERNAL_ERROR

    def __init__(self, message: str, *, param: str | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        """Name of the field of the request that is to blame."""
        self.retry_after_s = retry_after_s
        """When it is worth trying again; None says nothing about it."""


class Refusal(GatewayError):
    """The request cannot be served as it was sent; sending it again unchanged will not help."""

    status: int = HTTPStatus.BAD_REQUEST
    code = "invalid_request"
    outcome = Outcome.BAD_REQUEST


class BodyMalformed(Refusal):
    """The body is not a JSON object."""

    code = "invalid_json"


class FieldInvalid(Refusal):
    """A field of the body has a value that is not accepted."""

    code = "invalid_value"


class ContentRefused(Refusal):
    """A rule of whoever runs the gateway forbids what is said."""

    code = "content_policy_violation"


class KeyRefused(Refusal):
    """The request carries no key, or one that is not known."""

    status = HTTPStatus.UNAUTHORIZED
    code = "invalid_api_key"
    outcome = Outcome.AUTH


class KeysThrottled(Refusal):
    """So many wrong keys came from the caller's address that another wrong one is not looked at for a while."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    code = "too_many_wrong_keys"
    outcome = Outcome.AUTH


class ModelForbidden(Refusal):
    """The model exists or not; this caller may not ask for it."""

    status = HTTPStatus.FORBIDDEN
    code = "model_not_allowed"
    outcome = Outcome.AUTH


class RequestStopped(Refusal):
    """Whoever runs the gateway has stopped it. No status that clients try again at: it would come back at once."""

    status = HTTPStatus.FORBIDDEN
    code = "request_stopped"
    outcome = Outcome.AUTH


class PathUnknown(Refusal):
    """Nothing is offered at this path."""

    status = HTTPStatus.NOT_FOUND
    code = "not_found"


class ModelUnknown(Refusal):
    """No replica serves the model that was asked for."""

    status = HTTPStatus.NOT_FOUND
    code = "model_not_found"


class SessionUnknown(Refusal):
    """The caller has no such conversation, or has none any more."""

    status = HTTPStatus.NOT_FOUND
    code = "session_not_found"


class ResponseUnknown(Refusal):
    """The caller has no such kept response, or has none any more."""

    status = HTTPStatus.NOT_FOUND
    code = "response_not_found"


class ModelAmbiguous(Refusal):
    """Several routes serve the model, the settings do not let the gateway pick one, and the caller did not."""

    status = HTTPStatus.NOT_FOUND
    code = "model_not_found"


class SessionBusy(Refusal):
    """Another turn of the conversation is under way, and waiting for it took too long."""

    status = HTTPStatus.CONFLICT
    code = "session_busy"


class ContextTooLong(Refusal):
    """A turn does not fit into the model's context, whatever is dropped before it."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "context_length_exceeded"


class RequestSlow(Refusal):
    """The caller took too long to send its request."""

    status = HTTPStatus.REQUEST_TIMEOUT
    code = "request_timeout"


class LimitReached(Refusal):
    """The caller has used as much as it may use for now."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    code = "rate_limit_exceeded"
    outcome = Outcome.REFUSED_LIMIT


class BudgetSpent(LimitReached):
    """The caller's tokens for today are spent."""

    code = "insufficient_quota"


class MethodWrong(Refusal):
    """The path is known, but not with this method."""

    status = HTTPStatus.METHOD_NOT_ALLOWED
    code = "method_not_allowed"

    def __init__(self, message: str, *, allowed: str) -> None:
        super().__init__(message)
        self.allowed = allowed
        """Methods that the path takes, as the `Allow` header writes them."""


class BodyTooLarge(Refusal):
    """The body is over the limit; it was not read to its end."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "body_too_large"


class MediaTypeWrong(Refusal):
    """The body is announced as something other than JSON."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    code = "unsupported_media_type"


class IdempotencyConflict(Refusal):
    """The caller used the same idempotency key for a request that was not the same."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "idempotency_key_reused"

    def __init__(self) -> None:
        sentence = "This Idempotency-Key was used for another request. Use a new key for each request."
        super().__init__(sentence, param="Idempotency-Key")


class BodyInvalid(Refusal):
    """Fields of the body are wrong."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "invalid_body"

    def __init__(self, message: str, *, detail: list[dict[str, Any]], param: str | None = None) -> None:
        super().__init__(message, param=param)
        self.detail = detail
        """One entry for each fault: `type`, `loc`, `msg` and `input`, as FastAPI writes them."""


class HeadersTooLarge(Refusal):
    """The request line and headers are over the limit."""

    status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    code = "headers_too_large"


class ReplicaRefused(Refusal):
    """The replica understood the request and refused it, with its own status and reason."""

    code = "refused_by_model_server"

    def __init__(
        self,
        message: str,
        *,
        status: int,
        param: str | None,
        retry_after_s: float | None = None,
        is_context_length: bool = False,
    ) -> None:
        super().__init__(message, param=param, retry_after_s=retry_after_s)
        self.status = status
        self.is_context_length = is_context_length
        """It does not fit into the model's context; a model with a larger one may take it as it is."""


class Failure(GatewayError):
    """The request was right, and could not be served."""

    status = HTTPStatus.BAD_GATEWAY
    code = "upstream_error"
    outcome = Outcome.UPSTREAM_ERROR


class InternalFault(Failure):
    """The gateway itself is to blame."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    code = "internal_error"
    outcome = Outcome.INTERNAL_ERROR


class RouteUnsupported(Failure):
    """The model is served, but not through this route."""

    status = HTTPStatus.NOT_IMPLEMENTED
    code = "route_not_supported"
    outcome = Outcome.BAD_REQUEST


class ReplicaUnreachable(Failure):
    """No connection to the replica could be made."""

    code = "upstream_unreachable"


class ReplicaFailed(Failure):
    """The replica answered with an error of its own, or with something that is no answer."""


class ReplicaTruncated(Failure):
    """The replica's answer broke off before its end."""

    code = "upstream_interrupted"
    outcome = Outcome.UPSTREAM_TRUNCATED


class ReplicasUnusable(Failure):
    """The model is known, but none of its replicas is healthy."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "no_healthy_replica"
    outcome = Outcome.REFUSED_OVERLOAD


class ReplicaOverloaded(Failure):
    """The replica refused the request because it has too much to do."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "overloaded"
    outcome = Outcome.REFUSED_OVERLOAD


class QueueFull(Failure):
    """Every replica of the model is busy, and as many callers wait for one as may wait."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "queue_full"
    outcome = Outcome.REFUSED_OVERLOAD


class QueueTimeout(Failure):
    """Every replica of the model was busy for longer than a caller may wait."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "queue_timeout"
    outcome = Outcome.REFUSED_OVERLOAD


class KeysUnchecked(Failure):
    """The place that knows the keys cannot be asked; nobody is let in unchecked."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "auth_unavailable"


class BudgetUnchecked(Failure):
    """The place that knows what is left of the budgets cannot be asked; nothing is spent unchecked."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "budget_unavailable"


class StoreFailed(Failure):
    """The place where conversations are kept cannot be reached, or does not work."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "store_unavailable"
    outcome = Outcome.INTERNAL_ERROR


class Draining(Failure):
    """The gateway is about to stop and takes no new work."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "shutting_down"
    outcome = Outcome.REFUSED_OVERLOAD


class ReplicaSilent(Failure):
    """The replica said nothing for longer than it may."""

    status = HTTPStatus.GATEWAY_TIMEOUT
    code = "upstream_timeout"
    outcome = Outcome.TIMEOUT


def wait_headers(error: GatewayError) -> list[tuple[bytes, bytes]]:
    """Return the headers that tell when to try again: seconds for everybody, milliseconds for OpenAI's libraries."""
    if error.retry_after_s is None:
        return []
    milliseconds = math.ceil(error.retry_after_s * 1000)
    return [(b"retry-after", b"%d" % math.ceil(error.retry_after_s)), (b"retry-after-ms", b"%d" % milliseconds)]
