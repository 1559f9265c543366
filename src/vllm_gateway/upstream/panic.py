"""Whom to ask when most replicas of a route are out: the fault is likely elsewhere, and somebody has to answer."""

from collections.abc import Sequence

from vllm_gateway.upstream.replica import Replica


def candidates(serving: Sequence[Replica], panic_percent: float) -> list[Replica]:
    """Return those of a route's replicas that may be asked.

    These are the usable ones. When they are less than `panic_percent` of all that are on duty, those that are out for
    failed answers are asked too, and count as usable until more are well. Replicas that cannot be reached, or stand
    still, are not: nothing would come of it.
    """
    well = [replica for replica in serving if replica.health.is_usable and replica.is_available]
    if len(well) == len(serving):
        return well
    available = [replica for replica in serving if replica.is_available]
    is_panic = len(well) * 100 < panic_percent * len(available)
    for replica in available:
        replica.is_in_panic = is_panic
    return [replica for replica in available if replica.is_usable] if is_panic else well
