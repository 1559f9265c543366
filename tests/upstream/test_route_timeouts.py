"""The time-outs of a route."""

from vllm_gateway.settings.fleet import RouteSettings
from vllm_gateway.settings.model import Timeouts
from vllm_gateway.upstream.route_timeouts import RouteTimeouts


def test_a_route_may_have_time_outs_of_its_own() -> None:
    """What it does not name is as for all, and 0 is a value like any other."""
    routes = {
        "slow": RouteSettings(first_token_s=300),
        "quick": RouteSettings(first_token_s=2, idle_s=0),
        "plain": RouteSettings(),
    }
    timeouts = Timeouts(first_token_s=60, idle_s=30, total_s=500)
    of = RouteTimeouts(timeouts, routes).of
    assert of("slow") == Timeouts(first_token_s=300, idle_s=30, total_s=500)
    assert of("quick") == Timeouts(first_token_s=2, idle_s=0, total_s=500)
    assert of("plain") == timeouts
    assert of("another") is timeouts
    assert of("slow") is of("slow")
