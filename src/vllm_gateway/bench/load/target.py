"""Where a server is, and how it is addressed."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_HTTPS_PORT, _HTTP_PORT = 443, 80


@dataclass(frozen=True, slots=True)
class Target:
    """One server, and the headers that every request to it carries."""

    host: str
    port: int
    path: str = ""
    """What stands before `/v1`."""
    is_tls: bool = False
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def at(cls, url: str, headers: Mapping[str, str] | None = None) -> "Target":
        """Return the target of an address, with or without `/v1`; raise `ValueError` when it is none."""
        sentence = f"'{url}' is no address of a server: it should look like http://127.0.0.1:8080."
        try:
            parts = urlsplit(url if "://" in url else f"http://{url}")
            port = parts.port
        except ValueError as mistake:
            raise ValueError(sentence) from mistake
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(sentence)
        if "@" in parts.netloc:
            raise ValueError(
                "A name and a password in an address are not sent, but reported. Take them out: --api-key."
            )
        is_tls = parts.scheme == "https"
        path = parts.path.rstrip("/").removesuffix("/v1")
        return cls(parts.hostname, port or (_HTTPS_PORT if is_tls else _HTTP_PORT), path, is_tls, headers or {})

    @property
    def url(self) -> str:
        """The address, without `/v1`."""
        return f"{'https' if self.is_tls else 'http'}://{self._authority}{self.path}"

    @property
    def tls(self) -> ssl.SSLContext | None:
        """What a connection to it needs; None where it is plain."""
        return ssl.create_default_context() if self.is_tls else None

    def request(self, method: str, path: str, body: bytes = b"") -> bytes:
        """Return a whole HTTP/1.1 request."""
        lines = [
            f"{method} {self.path}{path} HTTP/1.1",
            f"host: {self._authority}",
            "user-agent: vllm-gateway-bench",
            *(f"{name}: {value}" for name, value in self.headers.items()),
        ]
        if body:
            lines += ["content-type: application/json", f"content-length: {len(body)}"]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    @property
    def _authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"
