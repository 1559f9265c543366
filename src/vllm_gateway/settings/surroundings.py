"""What the environment says in the words of others than the gateway, whose own settings are read in `sources/`."""

import os


def said(name: str) -> str | None:
    """Return the value of a variable of the environment; None when it is not set, or empty."""
    return os.environ.get(name) or None  # noqa: TID251 - the settings are what reads the environment


def whole() -> dict[str, str]:
    """Return the whole environment, for programs that are started in it."""
    return dict(os.environ)  # noqa: TID251 - as above
