"""Did our own page send this? The browser brings the cookie along with whatever any page asks of us."""

from vllm_gateway.errors import Refusal
from vllm_gateway.exchange import Headers

OWN_HEADER = b"x-gateway-ui"
"""Our scripts send it with every request; another page's could not without asking first, and are told no."""
_SAFE = frozenset({"GET", "HEAD"})


def check_own_page(method: str, headers: Headers) -> None:
    """Return when a request comes from a page that this listener has served.

    Raises:
        Refusal: another page may have sent it.
    """
    origins = [value for name, value in headers if name == b"origin"]
    hosts = [value for name, value in headers if name == b"host"]
    is_own = all(origin.partition(b"://")[2] == host for origin in origins for host in hosts)
    if not is_own or not (origins or method in _SAFE) or all(name != OWN_HEADER for name, _ in headers):
        raise Refusal("Only the page at /ui may use its cookie. Send the admin key as 'Authorization: Bearer KEY'.")


def cookie_name(headers: Headers) -> str:
    """Return what the cookie is called: browsers give the cookies of one port to all ports of a machine."""
    host = next((value for name, value in headers if name == b"host"), b"").decode("latin-1")
    port = host.rpartition(":")[2]
    return f"gateway_ui_{port if port.isascii() and port.isdigit() else 80}"


def cookies_in(headers: Headers, name: str) -> list[bytes]:
    """Return the values of the cookies of this name."""
    wanted = name.encode() + b"="
    return [
        pair.strip().removeprefix(wanted)
        for header, value in headers
        if header == b"cookie"
        for pair in value.split(b";")
        if pair.strip().startswith(wanted)
    ]
