"""How replicas were when one of them was to be chosen."""

from tests.exchanges import exchange
from tests.upstream.test_replica import a_replica
from vllm_gateway.trail import Explanation, Trail
from vllm_gateway.upstream.explaining import see, standing
from vllm_gateway.upstream.health import Sign

CHAT = "/v1/chat/completions"


def test_of_a_replica_that_is_well_only_that_is_told() -> None:
    """Nothing of where it is."""
    replica = a_replica(9)
    replica.see(Sign.PROBE_ANSWERED)
    assert standing(replica, CHAT, 0.0) == {"breaker": "closed"}


def test_what_speaks_against_a_replica_is_told() -> None:
    """Each reason by its name."""
    replica = a_replica(9, max_concurrent=1)
    replica.see(Sign.PROBE_ANSWERED)
    replica.outstanding = 1
    replica.is_draining = replica.is_sleeping = replica.is_in_panic = True
    replica.lacks.add(CHAT)
    replica.patience_until = 5.0
    told = standing(replica, CHAT, 2.0)
    assert told == {
        "breaker": "closed",
        "in_panic": True,
        "draining": True,
        "asleep": True,
        "lacks_route": True,
        "not_asked_for_s": 3.0,
    }
    replica.is_draining = replica.is_sleeping = False
    assert standing(replica, "/v1/completions", 9.0) == {"breaker": "closed", "in_panic": True, "full": True}


def test_one_that_is_out_is_told_with_the_state_of_its_breaker() -> None:
    """It stands beside those that could be asked."""
    out, explanation, one = a_replica(9), Explanation(), exchange()
    out.see(Sign.UNREACHABLE)
    one.trail = Trail(lambda: 0.0)
    see(explanation, [out], one, "least_busy")
    assert explanation.policy == "least_busy"
    assert explanation.replicas == {"r": {"breaker": out.health.state.value}}
