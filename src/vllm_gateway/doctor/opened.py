"""Who can reach the gateway, and what it would let them do."""

from collections.abc import Iterator

from vllm_gateway.doctor.finding import Finding, ok, warn
from vllm_gateway.settings import Settings
from vllm_gateway.settings.own_url import is_own


def look_at_openness(settings: Settings) -> Iterator[Finding]:
    """Say whether strangers could use the gateway, and what would bound them."""
    where = f"{settings.host}:{settings.port}"
    if is_own(settings.host):
        yield ok("access", f"it listens on {where}, for this machine only")
    elif settings.auth.mode == "none":
        cure = "Set auth.mode to keys and run vllm-gateway keys create, or keep a firewall before it."
        yield warn("access", f"it listens on {where} and asks nobody for a key", cure)
    else:
        yield ok("access", f"it listens on {where} and asks for keys (auth.mode: {settings.auth.mode})")
    if settings.cors_origins and "*" in settings.cors_origins and settings.auth.mode == "none":
        cure = "Name the pages in cors_origins, or ask for keys."
        yield warn("access", "any web page that somebody here opens may use it (cors_origins: *)", cure)
