"""The dashboard of reliability."""

from vllm_gateway.telemetry.dashboards.reliability import RELIABILITY
from vllm_gateway.telemetry.metrics.definitions import FIRST_TOKEN
from vllm_gateway.telemetry.metrics.text import number


def test_an_objective_is_a_bound_of_the_histogram() -> None:
    """Between two bounds nobody knows how many there were."""
    (variable,) = RELIABILITY.variables
    assert set(variable.values) <= {number(bound) for bound in FIRST_TOKEN.buckets}
