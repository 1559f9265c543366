"""The address of one replica, as people write it, read into one form."""

import re
from urllib.parse import SplitResult, urlsplit

_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\.?")
_PREFIX = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*")
"""Where an ingress may put a replica: names between slashes, no dot segments, no escapes."""
_EXAMPLE = "write it like http://127.0.0.1:8000/v1"


def read_upstream_url(text: str) -> str:
    """Return `text` without its trailing slash; raise `ValueError` for what is no replica's address.

    No sentence here repeats the text, since it may hold a password.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as fault:
        raise ValueError(f"is not a URL with a valid host and port; {_EXAMPLE}") from fault
    if (fault_found := _fault(text, parts, port)) is not None:
        raise ValueError(fault_found)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}{'' if port is None else f':{port}'}{parts.path.rstrip('/')}"


def _fault(text: str, parts: SplitResult, port: int | None) -> str | None:
    """Return what is wrong with the address, or nothing."""
    if parts.scheme not in {"http", "https"} or "://" not in text:
        return f"must begin with http:// or https://; {_EXAMPLE}"
    if "@" in parts.netloc:
        return "must not hold a user or a password; put the replica's key into api_key"
    if "?" in text or "#" in text:
        return f"must not have a query or a fragment; {_EXAMPLE}"
    if not _is_host(parts.hostname or "") or port == 0:
        return f"is not a URL with a valid host and port; {_EXAMPLE}"
    prefix = parts.path.rstrip("/").removesuffix("/v1")
    if _PREFIX.fullmatch(prefix) is None or "/v1/" in f"{prefix}/":
        return f"must end after /v1, or before it; {_EXAMPLE}"
    return None


def _is_host(host: str) -> bool:
    """Return whether `host` is a name or an IP address that can be connected to; `urlsplit` has checked IPv6."""
    return ":" in host or _HOST_NAME.fullmatch(host) is not None
