"""Libraries that only some settings and commands need."""

from collections.abc import Callable, Iterator

from vllm_gateway.doctor.finding import Finding, fail, ok
from vllm_gateway.settings import Settings
from vllm_gateway.state.extras import is_installed

COMMANDS = (("textual", "tui", "chat and top"), ("matplotlib", "bench", "plots of bench"))
"""Library, extra, and the commands that need it."""


def look_at_extras(settings: Settings, is_there: Callable[[str], bool] | None = None) -> Iterator[Finding]:
    """Say of each extra whether it is installed, if these settings need it; and what is missing for some commands."""
    found = is_there or is_installed
    for library, extra, setting in needed(settings):
        if found(library):
            yield ok("extras", f"[{extra}] is installed; {setting} needs it")
        else:
            yield fail("extras", f"[{extra}] is not installed; {setting} needs it", _install(extra))
    for library, extra, commands in COMMANDS:
        yield ok("extras", f"{commands}: {'ready' if found(library) else f'not installed ({_install(extra)})'}")


def needed(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Yield library, extra and setting of each extra that these settings need."""
    redis = [name for name in ("session", "limits", "cache") if getattr(settings, name).backend == "redis"]
    if redis:
        yield "redis", "redis", f"{redis[0]}.backend: redis"
    if settings.state.database_url is not None:
        yield "asyncpg", "postgres", "state.database_url"
    if any(upstream.tokenizer_path for upstream in settings.upstreams):
        yield "tokenizers", "tokenizer", "upstreams[].tokenizer_path"
    if settings.tracing.enabled:
        yield "opentelemetry.exporter.otlp.proto.http", "otel", "tracing.enabled: true"
    if settings.rules.deny_words or settings.rules.deny_patterns:
        yield "re2", "patterns", "rules.deny_words"


def _install(extra: str) -> str:
    return f"Run: pip install 'vllm-gateway[{extra}]'"
