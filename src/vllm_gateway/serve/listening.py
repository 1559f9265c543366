"""Sockets that are bound before anything else is started, so that a port in use is told at once."""

import socket
import ssl
import sys
from contextlib import ExitStack

BACKLOG = 4096
"""Connections that may wait to be accepted: a thousand callers at once are no attack."""
SPREADS = sys.platform == "linux"
"""Whether the system spreads connections over sockets that are bound to one port. Others let the last one have all."""

CURE = "Choose another with --port."
ADMIN_CURE = "Choose another as admin.port."
"""What to do when a port is taken."""


class CannotListen(Exception):
    """An address cannot be listened on; `str()` of it is one sentence that says what to do."""


def listen(host: str, port: int, *, cure: str, is_shared: bool = False) -> socket.socket:
    """Return a socket that listens; `is_shared` lets others that say the same listen beside it.

    Raises:
        CannotListen: it cannot be bound.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # named, or asyncio does not send at once
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise CannotListen(f"Cannot listen on {host}:{port}: {error.strerror or error}. {cure}") from error
    return listener


def listen_side_by_side(host: str, port: int, count: int, *, cure: str) -> list[socket.socket]:
    """Return one socket for each of `count` processes, all at the same port.

    Where the system does not spread connections over them it is one socket, so often.

    Raises:
        CannotListen: somebody else listens there, be it one who would share the port.
    """
    first = listen(host, port, cure=cure)
    if not SPREADS:
        return [first] * count
    port = first.getsockname()[1]
    first.close()  # it was there to find out that the port is free: sharing sockets would join whoever has it
    with ExitStack() as stack:
        found = [stack.enter_context(listen(host, port, cure=cure, is_shared=True)) for _ in range(count)]
        stack.pop_all()
    return found


def check_certificate(certificate: str, key: str) -> None:
    """Return when callers can be shown this certificate.

    Raises:
        CannotListen: a file cannot be read, is none, or the key is another's or has a passphrase.
    """
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key, password=bytes)
    except (OSError, ValueError) as error:
        cure = "Both have to be PEM, belong together, and have no passphrase."
        told = f"Cannot use edge.tls_certificate {certificate} with edge.tls_key {key}: {error}. {cure}"
        raise CannotListen(told) from error


def url_of(listener: socket.socket, *, is_encrypted: bool = False) -> str:
    """Return the address that a socket listens on."""
    host, port = listener.getsockname()[:2]
    return f"{'https' if is_encrypted else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"
