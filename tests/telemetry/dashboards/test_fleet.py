"""The dashboard of the fleet."""

from tests.telemetry.dashboards.asked import expressions
from vllm_gateway.outcomes import Outcome
from vllm_gateway.telemetry.dashboards.fleet import FAILED, FLEET


def test_failed_is_what_the_fleet_or_the_gateway_did() -> None:
    """Neither callers' own mistakes, nor their leaving, nor limits that were set on purpose."""
    failed = set(FAILED.partition('"')[2].rstrip('"').split("|"))
    others = {"ok", "ok_retried", "ok_resumed", "client_gone", "refused_limit", "bad_request", "auth"}
    assert failed == {each.value for each in Outcome} - others


def test_replicas_are_told_by_themselves_and_by_the_gateway() -> None:
    """Under `backend` and under `replica`, which are the same names."""
    asked = expressions([FLEET])
    assert any("by (backend)" in each for each in asked)
    assert any("by (replica)" in each and "vllm:" in each for each in asked)
