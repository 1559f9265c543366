"""Before every admin route, known or not: the right host, the right key, and a body that only a program can send."""

import hashlib
import hmac
from ipaddress import ip_address
from typing import Protocol

from starlette.types import ASGIApp, Receive, Scope, Send

from vllm_gateway.admission.keys.sent import MAX_KEY_BYTES, keys_in
from vllm_gateway.dialects.openai import OpenAI
from vllm_gateway.edge.app import bounded, named
from vllm_gateway.edge.faults import fault_reply
from vllm_gateway.edge.lane import address_of, check_announced, request_id
from vllm_gateway.errors import GatewayError, KeyRefused, MediaTypeWrong, Refusal
from vllm_gateway.exchange import Headers

MAX_BODY_BYTES = 65_536
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_DIALECT = OpenAI()


class Throttle(Protocol):
    """Counts wrong keys by the address that they came from."""

    def check(self, address: str) -> None:
        """Return when one more may come from there; raise `KeysThrottled` otherwise."""
        ...

    def count(self, address: str) -> None:
        """Take down a wrong key."""
        ...


class Gate:
    """The ASGI application in front of the admin routes. It decides by headers only, before any body is read."""

    def __init__(self, inner: ASGIApp, admin_key: str, throttle: Throttle) -> None:
        self._inner = inner
        self._digest = hashlib.sha256(admin_key.encode()).digest()
        self._throttle = throttle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or say why not."""
        try:
            _check_host(scope["headers"])
            self._check_key(scope["headers"], address_of(scope))
            if scope["method"] in _WITH_BODY:
                _check_body_is_json(scope["headers"])
        except GatewayError as error:
            status, headers, body = fault_reply(error, _DIALECT, request_id(scope["headers"]))
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})
        else:
            await self._inner(scope, bounded(scope, receive, MAX_BODY_BYTES), named(scope, send))

    def _check_key(self, headers: Headers, address: str) -> None:
        """Return when the admin key is among the keys that were sent.

        Raises:
            KeyRefused: it is not.
            KeysThrottled: it is not, and too many wrong ones came from this address.
        """
        sent = keys_in(headers)
        if any(self._is_right(key) for key in sent):
            return
        if sent:
            self._throttle.check(address)
            self._throttle.count(address)
        raise KeyRefused("The admin key is needed here. Send it as 'Authorization: Bearer KEY' or as 'X-API-Key: KEY'.")

    def _is_right(self, key: bytes) -> bool:
        """Compare digests, so that the time taken tells nothing of the key, not even its length."""
        return len(key) <= MAX_KEY_BYTES and hmac.compare_digest(hashlib.sha256(key).digest(), self._digest)


def _check_host(headers: Headers) -> None:
    """Return when the request was meant for this machine by name.

    A web page can have its own name resolved to this machine and then talk to it as to itself, but its name stays in
    `Host`.

    Raises:
        Refusal: it was meant for another name, or for none.
    """
    hosts = [value for name, value in headers if name == b"host"]
    if len(hosts) != 1 or not _is_loopback(hosts[0].decode("latin-1")):
        raise Refusal("This address is for this machine only. Use http://127.0.0.1 or http://localhost, with the port.")


def _is_loopback(host: str) -> bool:
    """Say whether a `Host` header names this machine, whatever the port: it may be forwarded from another one."""
    name, colon, port = host.rpartition(":")
    if not colon or port.endswith("]"):
        name, port = host, "0"
    if not (port.isascii() and port.isdigit()):
        return False
    if name.lower() == "localhost":
        return True
    try:
        return ip_address(name[1:-1] if name.startswith("[") and name.endswith("]") else name).is_loopback
    except ValueError:
        return False


def _check_body_is_json(headers: Headers) -> None:
    """Return when a body is announced as JSON. A form of any web page can send other kinds unasked, or none.

    Raises:
        MediaTypeWrong: it is not.
    """
    if not any(name == b"content-type" for name, _ in headers):
        raise MediaTypeWrong("Send the body as JSON, with 'Content-Type: application/json'.")
    check_announced(headers)
