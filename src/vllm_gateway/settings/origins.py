"""The origin of a web page, read into the form in which browsers send it."""

import re

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]{0,31}://([a-z0-9._-]{1,253}|\[[0-9a-f:.]{2,45}\])(:[0-9]{1,5})?")


def read_origin(text: str) -> str:
    """Return an origin without its trailing slash and in small letters; raise `ValueError` for what is none.

    Browsers send the origin in one form only, and it is compared letter by letter.
    """
    origin = text.strip().lower().removesuffix("/")
    if origin == "*":
        return origin
    if "*" in origin:
        raise ValueError("must be one origin, or * alone for all of them; list the origins one by one")
    if _ORIGIN.fullmatch(origin) is None:
        raise ValueError("must be an origin like https://chat.example.org, without a path; or * for all")
    return _without_default_port(origin)


def _without_default_port(origin: str) -> str:
    scheme, _, rest = origin.partition("://")
    default = {"http": ":80", "https": ":443"}.get(scheme, "")
    return f"{scheme}://{rest.removesuffix(default)}" if default else origin
