"""Where a gateway is, and how it is asked."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

DEFAULT_URL = "http://127.0.0.1:8080"


@dataclass(frozen=True, slots=True)
class Target:
    """The address of a gateway, and the key that it wants."""

    host: str
    port: int
    path: str = ""
    """What stands before `/v1`."""
    is_tls: bool = False
    key: str | None = field(default=None, repr=False)

    @classmethod
    def at(cls, url: str, key: str | None = None) -> "Target":
        """Return the target of an address, with or without `/v1`; raise `ValueError` when it is none."""
        sentence = f"'{url}' is no address of a gateway: it should look like {DEFAULT_URL}."
        try:
            parts = urlsplit(url if "://" in url else f"http://{url}")
            port = parts.port
        except ValueError:
            raise ValueError(sentence) from None
        if parts.scheme not in {"http", "https"} or not parts.hostname or not url.isprintable() or " " in url:
            raise ValueError(sentence)
        if key is not None and not (key.isascii() and key.isprintable()):
            raise ValueError("The key holds characters that no key has. Copy it again.")
        is_tls = parts.scheme == "https"
        path = parts.path.rstrip("/").removesuffix("/v1")
        return cls(parts.hostname, port or (443 if is_tls else 80), path, is_tls, key or None)

    @property
    def url(self) -> str:
        """The address as people write it."""
        return f"http{'s' * self.is_tls}://{self.authority}{self.path}"

    @property
    def authority(self) -> str:
        """Host and port, as the `Host` header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = 443 if self.is_tls else 80
        return host if self.port == usual else f"{host}:{self.port}"
