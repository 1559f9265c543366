"""The one place that writes an error to a caller: its status, its headers, and its body in the caller's own shape."""

from vllm_gateway.errors import GatewayError, KeyRefused, MethodWrong, RequestSlow, wait_headers
from vllm_gateway.exchange import Dialect, Exchange, Headers, Sink


def write_fault(error: GatewayError, exchange: Exchange, sink: Sink) -> None:
    """Tell the caller of an exchange that it failed, in whatever way is still possible.

    A stream that has begun gets one error event and no proper end. A half answer of another kind is cut off: anything
    that is added would be taken for a part of it.
    """
    if not sink.is_started:
        exchange.status = exchange.operation.dialect.status(error)
        body = exchange.operation.dialect.fault(error, exchange.id)
        named = exchange.operation.dialect.reply_headers(exchange.id) + exchange.told
        sink.start(exchange.status, named + fault_headers(error, body))
        sink.write(body)
        sink.end()
        return
    if exchange.is_event_stream:
        sink.write(exchange.operation.dialect.fault_event(error, exchange.id))
    sink.cut()


def fault_headers(error: GatewayError, body: bytes) -> Headers:
    """Return the headers that belong to an error's body."""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), *wait_headers(error)]
    if isinstance(error, MethodWrong):
        headers.append((b"allow", error.allowed.encode()))
    if isinstance(error, KeyRefused):
        headers.append((b"www-authenticate", b"Bearer"))
    if isinstance(error, RequestSlow):
        headers.append((b"connection", b"close"))  # what it still sends is a part of this request, and no new one
    return headers


def fault_reply(error: GatewayError, dialect: Dialect, request_id: str) -> tuple[int, Headers, bytes]:
    """Return an error as a reply of its own, for routes that have no exchange."""
    body = dialect.fault(error, request_id)
    return dialect.status(error), dialect.reply_headers(request_id) + fault_headers(error, body), body
