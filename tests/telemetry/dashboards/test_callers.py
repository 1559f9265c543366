"""The dashboard of the callers."""

from tests.telemetry.dashboards.asked import expressions
from vllm_gateway.telemetry.dashboards.callers import CALLERS


def test_what_is_counted_by_key_keeps_to_the_chosen_keys() -> None:
    """And no picture has a line for each of two hundred keys."""
    asked = [each for each in expressions([CALLERS]) if "gateway_key_" in each]
    assert len(asked) == 5
    assert all('key=~"$key"' in each for each in asked)
    assert all(each.startswith("topk(10, ") or "increase(" in each for each in asked)
