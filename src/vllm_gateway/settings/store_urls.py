"""Addresses of the stores that several gateways share. They may hold passwords, so no sentence here repeats one."""

import re
from urllib.parse import SplitResult, urlsplit

from pydantic import SecretStr

_DATABASE_NUMBER = re.compile(r"/?[0-9]{0,4}")
_REDIS_EXAMPLE = "write it like redis://:password@host:6379/0"
_DATABASE_EXAMPLE = "write it like postgresql://user:password@host:5432/name"
_ESCAPES = "special characters of a password are written as %23 for #, %2F for /, %3F for ?"


def read_redis_url(url: SecretStr | None) -> SecretStr | None:
    """Return `url`; raise `ValueError` when it is no address of one Redis or Valkey server."""
    if url is None:
        return None
    parts = _split(url.get_secret_value(), _REDIS_EXAMPLE)
    if parts.scheme.partition("+")[2] in {"sentinel", "cluster"}:
        raise ValueError(f"must be the address of one server; Sentinel and Cluster are not available, {_REDIS_EXAMPLE}")
    if parts.scheme not in {"redis", "rediss", "unix"}:
        raise ValueError(f"must begin with redis://, rediss:// or unix://; {_REDIS_EXAMPLE}")
    if parts.scheme == "unix":
        if not parts.path.strip("/"):
            raise ValueError("must name a socket; write it like unix:///run/redis.sock?db=0")
        return url
    if not parts.hostname:
        raise ValueError(f"must name a host; {_REDIS_EXAMPLE}")
    if _DATABASE_NUMBER.fullmatch(parts.path) is None:
        raise ValueError(f"must end behind the port, or with the number of a database; {_REDIS_EXAMPLE}")
    return url


def read_database_url(url: SecretStr | None) -> SecretStr | None:
    """Return `url`; raise `ValueError` when it is no address of a PostgreSQL database."""
    if url is None:
        return None
    parts = _split(url.get_secret_value(), _DATABASE_EXAMPLE)
    family, _, driver = parts.scheme.partition("+")
    if family not in {"postgres", "postgresql"}:
        raise ValueError(f"must begin with postgresql://, since no other database is used; {_DATABASE_EXAMPLE}")
    if driver not in {"", "asyncpg"}:
        raise ValueError(f"must not name a driver, the gateway brings its own; {_DATABASE_EXAMPLE}")
    if not parts.path.strip("/"):
        raise ValueError(f"must name a database; {_DATABASE_EXAMPLE}")
    return url


def _split(text: str, example: str) -> SplitResult:
    """Return the parts of an address; what is no address at all has none."""
    if "://" not in text or " " in text or not text.isprintable():
        raise ValueError(f"is not an address; {example}")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as fault:
        raise ValueError(f"is not an address with a valid host and port; {example}; {_ESCAPES}") from fault
    if parts.fragment or port == 0:
        raise ValueError(f"is not an address with a valid host and port; {example}; {_ESCAPES}")
    return parts
