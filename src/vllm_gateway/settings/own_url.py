"""Where this machine reaches a server that listens on one of its addresses."""

_REACHED = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - looked up, not bound to
"""Addresses that one can listen on, but not ask."""


def own_url(host: str, port: int) -> str:
    """Return the address at which this machine reaches a server that listens on `host`."""
    reached = _REACHED.get(host, host)
    return f"http://{f'[{reached}]' if ':' in reached else reached}:{port}"
