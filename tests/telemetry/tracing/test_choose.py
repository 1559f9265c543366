"""Where spans go."""

import pytest

from vllm_gateway.settings.model import Tracing
from vllm_gateway.state import extras
from vllm_gateway.state.extras import MissingExtra
from vllm_gateway.telemetry.tracing.choose import TracingUnusable, open_outlet

ON = Tracing(enabled=True)


def opened(**environment: str) -> float | None:
    """Open the outlet of such an environment; return how often it sends, None where there is none."""
    outlet = open_outlet(ON, environment.get)
    if outlet is None:
        return None
    outlet.close()
    return outlet.every_s


def test_they_go_nowhere_unless_they_are_wanted() -> None:
    """By the settings, and by the variables that switch OpenTelemetry off everywhere."""
    assert open_outlet(Tracing()) is None
    assert opened(OTEL_SDK_DISABLED="TRUE") is None
    assert opened(OTEL_TRACES_EXPORTER="none") is None


def test_the_exporter_and_the_pace_are_said_by_the_variables() -> None:
    """Without one, every second."""
    assert opened() == 1.0
    assert opened(OTEL_TRACES_EXPORTER="otlp, console", OTEL_BSP_SCHEDULE_DELAY="250") == 0.25
    assert opened(OTEL_TRACES_EXPORTER="console", OTEL_EXPORTER_OTLP_PROTOCOL="grpc") == 1.0


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("OTEL_TRACES_EXPORTER", "zipkin", "names 'zipkin'. Known are otlp, console, none"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "Set it to http/protobuf"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json", "Set it to http/protobuf"),
        ("OTEL_BSP_SCHEDULE_DELAY", "often", "Give milliseconds"),
        ("OTEL_BSP_SCHEDULE_DELAY", "0", "Give milliseconds"),
    ],
)
def test_a_variable_that_cannot_be_followed_is_told(name: str, value: str, said: str) -> None:
    """One sentence that says what to do."""
    with pytest.raises(TracingUnusable, match=said):
        opened(**{name: value})


def test_a_missing_library_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the line that installs it."""
    monkeypatch.setattr(extras, "is_installed", lambda _: False)
    with pytest.raises(MissingExtra, match=r"tracing.enabled: true needs .* pip install 'vllm-gateway\[otel\]'"):
        opened()
