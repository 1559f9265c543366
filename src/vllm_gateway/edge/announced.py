"""What a request's headers announce: its id, and the form of its body."""

import random
import re

from vllm_gateway.errors import BodyTooLarge, MediaTypeWrong, RequestSlow
from vllm_gateway.exchange import Headers

_REQUEST_ID = re.compile(rb"[A-Za-z0-9_-]{8,64}")


def too_large(max_body_bytes: int) -> BodyTooLarge:
    """Return the refusal of a body that is over its limit."""
    return BodyTooLarge(f"The body is larger than the {max_body_bytes} bytes that are allowed.")


def too_slow() -> RequestSlow:
    """Return the refusal of a body that did not come in time."""
    return RequestSlow("The body of the request did not come in time. Send it faster, or send less.")


def check_announced(headers: Headers) -> None:
    """Return when a body is announced as plain JSON, or not at all.

    Raises:
        MediaTypeWrong: it is announced as something else, or as packed: what it unpacks to has no limit.
    """
    for name, value in headers:
        if name == b"content-type" and value.split(b";")[0].strip().lower() != b"application/json":
            raise MediaTypeWrong("Send the body as JSON, with 'Content-Type: application/json'.")
        if name == b"content-encoding" and value.strip().lower() != b"identity":
            raise MediaTypeWrong("Send the body as it is, without a 'Content-Encoding'.")


def request_id(headers: Headers) -> str:
    """Return the caller's own id when it is a safe one, otherwise a new one."""
    return own_id(headers) or new_id()


def own_id(headers: Headers) -> str:
    """Return the id that the caller gave its request; nothing when there is none that is safe."""
    for name, value in headers:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return value.decode()
    return ""


def new_id() -> str:
    """Return an id that no other request has."""
    return random.getrandbits(128).to_bytes(16, "big").hex()
