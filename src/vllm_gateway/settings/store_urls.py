"""Addresses of the stores that several gateways share. They may hold passwords, so no sentence here repeats one."""

from urllib.parse import SplitResult, urlsplit

from pydantic import SecretStr

from vllm_gateway.settings.redis_url import ESCAPES, read_address

_DATABASE_EXAMPLE = "write it like postgresql://user:password@host:5432/name"


def read_redis_url(url: SecretStr | None) -> SecretStr | None:
    """Return `url`; raise `ValueError` when it is no address of Redis or Valkey."""
    if url is not None:
        read_address(url.get_secret_value())
    return url


def read_database_url(url: SecretStr | None) -> SecretStr | None:
    """Return `url`; raise `ValueError` when it is no address of a PostgreSQL database."""
    if url is None:
        return None
    parts = _split(url.get_secret_value())
    family, _, driver = parts.scheme.partition("+")
    if family not in {"postgres", "postgresql"}:
        raise ValueError(f"must begin with postgresql://, since no other database is used; {_DATABASE_EXAMPLE}")
    if driver not in {"", "asyncpg"}:
        raise ValueError(f"must not name a driver, the gateway brings its own; {_DATABASE_EXAMPLE}")
    if not parts.path.strip("/"):
        raise ValueError(f"must name a database; {_DATABASE_EXAMPLE}")
    return url


def _split(text: str) -> SplitResult:
    """Return the parts of an address; what is no address at all has none."""
    if "://" not in text or " " in text or not text.isprintable():
        raise ValueError(f"is not an address; {_DATABASE_EXAMPLE}")
    try:
        parts = urlsplit(text)
        ports = [urlsplit(f"//{host}").port for host in parts.netloc.rpartition("@")[2].split(",")]
    except ValueError as fault:
        raise ValueError(f"is not an address with a valid host and port; {_DATABASE_EXAMPLE}; {ESCAPES}") from fault
    if parts.fragment or 0 in ports:
        raise ValueError(f"is not an address with a valid host and port; {_DATABASE_EXAMPLE}; {ESCAPES}")
    return parts
