"""Where this machine reaches a server that listens on one of its addresses, and whether others do."""

from ipaddress import ip_address

_REACHED = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - looked up, not bound to
"""Addresses that one can listen on, but not ask."""


def own_url(host: str, port: int, *, is_encrypted: bool = False) -> str:
    """Return the address at which this machine reaches a server that listens on `host`."""
    reached = _REACHED.get(host, host)
    return f"{'https' if is_encrypted else 'http'}://{f'[{reached}]' if ':' in reached else reached}:{port}"


def is_own(host: str) -> bool:
    """Say whether nobody but this machine reaches a server that listens on `host`."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
