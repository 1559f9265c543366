"""How the replicas of a route were when one of them was to be chosen, for a caller who asked."""

from collections.abc import Sequence
from typing import Any

from vllm_gateway.exchange import Exchange
from vllm_gateway.trail import Explanation
from vllm_gateway.upstream.replica import Replica


def see(explanation: Explanation, serving: Sequence[Replica], exchange: Exchange, policy: str) -> None:
    """Note how they are now, and by which policy it is chosen."""
    path = exchange.asked.path if exchange.asked is not None else exchange.operation.path
    now = exchange.trail.now()
    explanation.policy = policy
    explanation.replicas |= {each.name: standing(each, path, now) for each in serving}


def standing(replica: Replica, path: str, now: float) -> dict[str, Any]:
    """Return whether a replica may be asked for `path`, and what speaks against it; names nothing but that."""
    told: dict[str, Any] = {"breaker": replica.health.state.value}
    against = {
        "in_panic": replica.is_in_panic,
        "draining": replica.is_draining,
        "asleep": replica.is_sleeping,
        "full": replica.is_usable and not replica.has_room,
        "lacks_route": path in replica.lacks,
        "not_asked_for_s": round(max(0.0, replica.patience_until - now), 3),
    }
    return told | {name: value for name, value in against.items() if value}
