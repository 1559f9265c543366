"""Who can reach the gateway."""

import pytest

from vllm_gateway.doctor.finding import Level
from vllm_gateway.doctor.opened import look_at_openness
from vllm_gateway.settings import Settings


@pytest.mark.parametrize(
    ("settings", "levels"),
    [
        ({}, [Level.OK]),
        ({"host": "0.0.0.0"}, [Level.WARN]),
        ({"host": "0.0.0.0", "auth": {"mode": "keys"}}, [Level.OK]),
        ({"cors_origins": ["*"]}, [Level.OK, Level.WARN]),
    ],
)
def test_a_port_for_everybody_without_keys_is_a_warning(settings: dict[str, object], levels: list[Level]) -> None:
    """So is a gateway that any web page may use."""
    assert [each.level for each in look_at_openness(Settings.model_validate(settings))] == levels
