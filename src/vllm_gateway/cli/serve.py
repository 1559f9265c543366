"""`vllm-gateway serve`."""

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from vllm_gateway.settings import Assignment


def serve(
    *,
    config: Path | None = None,
    upstream: list[str] | None = None,
    host: str | None = None,
    port: int | None = None,
    workers: int | None = None,
    log_level: Literal["debug", "info", "warning", "error"] | None = None,
    drain_s: float | None = None,
) -> int:
    """Run the gateway.

    Flags win over the environment, and the environment over the settings file.
    Without an upstream the embedded engine answers; it needs no GPU and no model.

    For example: vllm-gateway serve --upstream http://127.0.0.1:8000/v1 --port 9000

    Args:
        config: Settings file. [default: GATEWAY_CONFIG, else gateway.yaml if it is there]
        upstream: Address of a vLLM server; give it again for each further one. [env: GATEWAY_UPSTREAMS]
        host: Address to listen on. [env: GATEWAY_HOST] [default: 127.0.0.1]
        port: Port to listen on. [env: GATEWAY_PORT] [default: 8080]
        workers: Processes that serve. [env: GATEWAY_WORKERS] [default: 1]
        log_level: Least severe message that is logged. [env: GATEWAY_LOG_LEVEL] [default: info]
        drain_s: Seconds that running answers get after SIGTERM. [env: GATEWAY_DRAIN_S] [default: 30]

    Returns:
        The exit status.
    """
    given = {"host": host, "port": port, "workers": workers, "log_level": log_level, "drain_s": drain_s}
    with _all_of_it_kept():
        from vllm_gateway.cli.loading import loaded_or_told  # noqa: PLC0415 - keeps --help quick

        said = flags(upstream or [], given)
        loaded = loaded_or_told(config, said)
        if loaded is None:
            return 1
        from vllm_gateway.serve import run  # noqa: PLC0415 - keeps --help, and the report of a mistake, quick
        from vllm_gateway.settings import load_here  # noqa: PLC0415 - as above

    return run(loaded.settings, read=lambda: load_here(config, said).settings)


@contextmanager
def _all_of_it_kept() -> Iterator[None]:
    """Have Python not look for garbage among what is loaded: there is none, and it takes a seventh of the start."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def flags(upstreams: list[str], given: Mapping[str, object]) -> "list[Assignment]":
    """Return the flags that were given, as settings; addresses of upstreams replace those of all other sources."""
    from vllm_gateway.settings import Assignment  # noqa: PLC0415 - keeps --help quick

    found = [Assignment(("upstreams",), [{"url": url} for url in upstreams], "flag --upstream")] if upstreams else []
    for key, value in given.items():
        if value is not None:
            found.append(Assignment((key,), value, f"flag --{key.replace('_', '-')}"))
    return found
