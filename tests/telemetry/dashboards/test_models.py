"""The dashboard of the models."""

from tests.telemetry.dashboards.asked import expressions
from vllm_gateway.telemetry.dashboards.models import MODELS


def test_every_query_keeps_to_the_chosen_models() -> None:
    """The variable is in each of them."""
    assert [variable.name for variable in MODELS.variables] == ["model"]
    for expression in expressions([MODELS]):
        assert 'model=~"$model"' in expression
