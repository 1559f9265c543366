"""Before every admin route, known or not: the right host, the right key, and a body that only a program can send."""

from ipaddress import ip_address

from starlette.types import ASGIApp, Receive, Scope, Send

from vllm_gateway.admission.keys.sent import keys_in
from vllm_gateway.dialects.openai import OpenAI
from vllm_gateway.edge.admin.admin_key import AdminKey
from vllm_gateway.edge.admin.ui import chat
from vllm_gateway.edge.admin.ui.origin import check_own_page, cookie_name, cookies_in
from vllm_gateway.edge.admin.ui.sessions import Sessions
from vllm_gateway.edge.announced import check_announced, request_id
from vllm_gateway.edge.app import bounded, named
from vllm_gateway.edge.faults import fault_reply
from vllm_gateway.edge.lane import address_of
from vllm_gateway.errors import GatewayError, KeyRefused, MediaTypeWrong, Refusal
from vllm_gateway.exchange import Headers

MAX_BODY_BYTES = 65_536
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_DIALECT = OpenAI()
_NEEDED = "The admin key is needed here. Send it as 'Authorization: Bearer KEY' or as 'X-API-Key: KEY'."
_NOT_LOGGED_IN = "Log in at /ui first: the chat box works with its cookie only."


class Gate:
    """The ASGI application in front of the admin routes. It decides by headers only, before any body is read."""

    def __init__(self, inner: ASGIApp, admin_key: AdminKey, sessions: Sessions) -> None:
        self._inner = inner
        self._admin_key = admin_key
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or say why not."""
        try:
            _check_host(scope["headers"])
            if not _is_page(scope["path"]):
                self._check_caller(scope)
            if scope["method"] in _WITH_BODY:
                _check_body_is_json(scope["headers"])
        except GatewayError as error:
            status, headers, body = fault_reply(error, _DIALECT, request_id(scope["headers"]))
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})
        else:
            if scope["path"] != chat.PATH:  # where the front door has bounds of its own
                receive = bounded(scope, receive, MAX_BODY_BYTES)
            await self._inner(scope, receive, named(scope, send))

    def _check_caller(self, scope: Scope) -> None:
        """Return when somebody is logged in on the page, or has sent the admin key.

        Raises:
            KeyRefused: neither is so.
            KeysThrottled: neither is so, and too many wrong keys came from this address.
            Refusal: somebody is logged in, and another page than ours makes use of it.
        """
        headers = scope["headers"]
        if any(self._sessions.is_open(token) for token in cookies_in(headers, cookie_name(headers))):
            check_own_page(scope["method"], headers)
        elif scope["path"] == chat.PATH:  # a key among its headers is a caller's, for the front door
            raise KeyRefused(_NOT_LOGGED_IN)
        else:
            self._admin_key.check(keys_in(headers), address_of(scope), _NEEDED)


def _is_page(path: str) -> bool:
    """Say whether a path is the page's: its files hold nothing secret, and its login asks for the key itself."""
    return path == "/ui" or path.startswith("/ui/")


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
