"""What an address of Redis or Valkey says: one server, a group that Sentinels watch, or a cluster.

It may hold passwords, so no sentence here repeats a part of it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

Kind = Literal["server", "socket", "sentinel", "cluster"]
Option = str | int | float | bool

EXAMPLE = "write it like redis://:password@host:6379/0"
_SENTINEL_EXAMPLE = "write it like redis+sentinel://host1:26379,host2:26379/service/0"
_CLUSTER_EXAMPLE = "write it like redis+cluster://host1:6379,host2:6379"
_SOCKET_EXAMPLE = "write it like unix:///run/redis.sock?db=0"
ESCAPES = "special characters of a password are written as %23 for #, %2F for /, %3F for ?"

_KINDS: Mapping[str, tuple[Kind, str]] = MappingProxyType(
    {
        "redis": ("server", EXAMPLE),
        "rediss": ("server", EXAMPLE),
        "unix": ("socket", _SOCKET_EXAMPLE),
        "redis+sentinel": ("sentinel", _SENTINEL_EXAMPLE),
        "rediss+sentinel": ("sentinel", _SENTINEL_EXAMPLE),
        "redis+cluster": ("cluster", _CLUSTER_EXAMPLE),
        "rediss+cluster": ("cluster", _CLUSTER_EXAMPLE),
    }
)
_PORTS: Mapping[Kind, int] = MappingProxyType({"server": 6379, "socket": 0, "sentinel": 26379, "cluster": 6379})
_DATABASE_NUMBER = re.compile(r"[0-9]{1,4}")


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """An address, taken apart."""

    kind: Kind
    hosts: tuple[tuple[str, int], ...] = ()
    """The server; or where to ask for it: the Sentinels, or some nodes of the cluster."""
    path: str = ""
    """Of the socket."""
    service: str = ""
    """What the Sentinels call the group of servers."""
    is_encrypted: bool = False
    options: Mapping[str, Option] = field(default_factory=dict, repr=False)
    """How to log in and to connect, as the client library names it."""
    sentinel_login: Mapping[str, str] = field(default_factory=dict, repr=False)
    """How to log in to the Sentinels, likewise."""


def read_address(text: str) -> RedisAddress:
    """Return what an address says.

    Raises:
        ValueError: it is none; the sentence says what is wrong and how to write it.
    """
    if "://" not in text or " " in text or not text.isprintable():
        raise ValueError(f"is not an address; {EXAMPLE}")
    scheme = text.partition("://")[0].lower()
    if scheme not in _KINDS:
        known = "redis://, rediss:// (with TLS), unix://, redis+sentinel:// or redis+cluster://"
        raise ValueError(f"must begin with {known}; {EXAMPLE}")
    kind, example = _KINDS[scheme]
    parts = _split(text, example)
    login, _, where = parts.netloc.rpartition("@")
    options = _login(login) | _options(parts.query, kind, example, is_encrypted=scheme.startswith("rediss"))
    sentinel_login = {
        name: str(options.pop(f"sentinel_{name}")) for name in ("username", "password") if f"sentinel_{name}" in options
    }
    if kind == "socket":
        if not parts.path.strip("/"):
            raise ValueError(f"must name a socket; {example}")
        return RedisAddress(kind, path=unquote(parts.path), options=options)
    service, database = _path(parts.path, kind, example)
    if database is not None:
        options.setdefault("db", database)
    return RedisAddress(
        kind,
        hosts=_hosts(where, kind, example),
        service=service,
        is_encrypted=scheme.startswith("rediss"),
        options=options,
        sentinel_login=sentinel_login,
    )


def _split(text: str, example: str) -> SplitResult:
    try:
        parts = urlsplit(text)
    except ValueError as fault:
        raise _malformed(example) from fault
    if parts.fragment:
        raise _malformed(example)
    return parts


def _malformed(example: str) -> ValueError:
    return ValueError(f"is not an address with a valid host and port; {example}; {ESCAPES}")


def _login(text: str) -> dict[str, Option]:
    name, _, password = text.partition(":")
    found = {"username": unquote(name), "password": unquote(password)}
    return {what: value for what, value in found.items() if value}


def _hosts(text: str, kind: Kind, example: str) -> tuple[tuple[str, int], ...]:
    """Return hosts with their ports; only Sentinels and clusters have several."""
    every = text.split(",")
    if kind == "server" and len(every) > 1:
        raise ValueError(f"must name one host; where there are several Sentinels, {_SENTINEL_EXAMPLE}")
    return tuple(_host(each, _PORTS[kind], example) for each in every)


def _host(text: str, default_port: int, example: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError as fault:
        raise _malformed(example) from fault
    if not host:
        raise ValueError(f"must name a host; {example}")
    if port == 0 or "@" in text:
        raise _malformed(example)
    return unquote(host), port or default_port


def _path(path: str, kind: Kind, example: str) -> tuple[str, int | None]:
    """Return the name of the Sentinels' service and the number of the database, as far as they are there."""
    service, _, database = path.strip("/").partition("/") if kind == "sentinel" else ("", "", path.removeprefix("/"))
    if kind == "sentinel" and not service:
        raise ValueError(f"must name the service that the Sentinels watch; {example}")
    if kind == "cluster" and database not in {"", "0"}:
        raise ValueError(f"must end behind the hosts, since a cluster has one database only; {example}")
    if database and _DATABASE_NUMBER.fullmatch(database) is None:
        raise ValueError(f"must end behind the port, or with the number of a database; {example}")
    return unquote(service), int(database) if database else None


def _text(value: str) -> str:
    if not value:
        raise ValueError("empty")
    return value


def _seconds(value: str) -> float:
    found = float(value)
    if not 0 < found <= 3600:  # noqa: PLR2004 - an hour
        raise ValueError("no time to wait")
    return found


def _count(value: str) -> int:
    if re.fullmatch("[0-9]{1,6}", value) is None:
        raise ValueError("no count")
    return int(value)


def _connections(value: str) -> int:
    if (found := _count(value)) == 0:
        raise ValueError("no connection at all")
    return found


def _flag(value: str) -> bool:
    return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[value.lower()]


def _checking(value: str) -> str:
    if value not in {"required", "none"}:
        raise ValueError("no way to check a certificate")
    return value


_READERS: Mapping[str, Callable[[str], Option]] = MappingProxyType(
    {
        "client_name": _text,
        "db": _count,
        "health_check_interval": _count,
        "max_connections": _connections,
        "password": _text,
        "sentinel_password": _text,
        "sentinel_username": _text,
        "socket_connect_timeout": _seconds,
        "socket_timeout": _seconds,
        "ssl_ca_certs": _text,
        "ssl_cert_reqs": _checking,
        "ssl_certfile": _text,
        "ssl_check_hostname": _flag,
        "ssl_keyfile": _text,
        "username": _text,
    }
)


def _options(query: str, kind: Kind, example: str, *, is_encrypted: bool) -> dict[str, Option]:
    """Return what is written behind the question mark; what is not known there would be a mistake at run time."""
    found: dict[str, Option] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in _READERS:
            raise ValueError(f"has an option that is not known; there are {', '.join(_READERS)}; {example}")
        if name.startswith("ssl_") and not is_encrypted:
            raise ValueError(f"has options of TLS, which only addresses that begin with rediss have; {example}")
        if name.startswith("sentinel_") and kind != "sentinel":
            raise ValueError(f"has options of Sentinel without being an address of Sentinels; {_SENTINEL_EXAMPLE}")
        try:
            found[name] = _READERS[name](value)
        except (ValueError, KeyError) as fault:
            raise ValueError(f"has no usable value for the option {name}; {example}") from fault
    if kind == "cluster" and found.get("db"):
        raise ValueError(f"must not name a database, since a cluster has one only; {example}")
    return found
