"""Where spans go, by the settings and by OpenTelemetry's own variables."""

from typing import Protocol

from vllm_gateway.settings.model import Tracing
from vllm_gateway.settings.surroundings import said
from vllm_gateway.state.extras import need
from vllm_gateway.telemetry.tracing.recording import Outlet


class Said(Protocol):
    """Reads a variable of the environment."""

    def __call__(self, name: str, /) -> str | None:
        """Return its value; None where it has none."""
        ...


_EVERY_MS = 1000
"""OpenTelemetry's own default is 5,000, after which more would have to be sent at once."""
_KNOWN = ("otlp", "console", "none")


class TracingUnusable(ValueError):
    """A variable asks for what there is not; `str()` of it is what to do."""


def open_outlet(settings: Tracing, said: Said = said) -> Outlet | None:
    """Return where spans go; None where nobody wants any. `said` reads a variable of the environment.

    Raises:
        MissingExtra: the library is not installed.
        TracingUnusable: a variable asks for an exporter or a protocol that there is not.
    """
    if not settings.enabled or (said("OTEL_SDK_DISABLED") or "").strip().lower() == "true":
        return None
    exporters = _exporters(said)
    if not exporters:
        return None
    need("opentelemetry.exporter.otlp.proto.http", "otel", "tracing.enabled: true")
    from vllm_gateway.telemetry.tracing.sending import OtelOutlet  # noqa: PLC0415 - see the module

    return OtelOutlet(exporters, every_s=_every_s(said))


def _exporters(said: Said) -> list[str]:
    """Return the exporters that are asked for, each once."""
    names = [name.strip() for name in (said("OTEL_TRACES_EXPORTER") or "otlp").split(",")]
    for name in names:
        if name not in _KNOWN:
            raise TracingUnusable(f"OTEL_TRACES_EXPORTER names '{name:.40}'. Known are {', '.join(_KNOWN)}.")
    wanted = [name for name in dict.fromkeys(names) if name != "none"]
    protocol = said("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or said("OTEL_EXPORTER_OTLP_PROTOCOL") or "http/protobuf"
    if "otlp" in wanted and protocol != "http/protobuf":
        hint = "Set it to http/protobuf, which collectors take at port 4318."
        raise TracingUnusable(f"OTEL_EXPORTER_OTLP_PROTOCOL is '{protocol:.40}'. {hint}")
    return wanted


def _every_s(said: Said) -> float:
    text = said("OTEL_BSP_SCHEDULE_DELAY") or str(_EVERY_MS)
    if not text.isdecimal() or not int(text):
        raise TracingUnusable(f"OTEL_BSP_SCHEDULE_DELAY is '{text:.40}'. Give milliseconds, 1 or more.")
    return int(text) / 1000
