"""What the replicas saw: attempts, faults and when they happened, and who was asked although it should not be."""

from collections.abc import Iterable, Mapping
from itertools import pairwise

from vllm_gateway.chaos.caller import Heard
from vllm_gateway.chaos.fleet import Fleet
from vllm_gateway.chaos.judging import Grade, Verdict

_ON_ITS_WAY_S = 0.08
"""What arrives so soon after a refusal was sent before it was known."""


def faults_met(fleet: Fleet) -> int:
    """Count the attempts that a fault happened to, be it their own or a crash of the replica."""
    return sum(
        seen.fault is not None or (seen.gone_at is not None and seen.connection.closed_by == "fault")
        for seen in fleet.seen()
    )


def silences_s(fleet: Fleet, heard: Mapping[str, Heard]) -> list[float]:
    """Return for each fault how long its caller heard nothing; `heard` has the callers by their marks.

    It is the longest silence from the fault on: what was on its way when it happened still arrives.
    """
    callers = {mark.encode(): each for mark, each in heard.items()}
    found = []
    for seen in fleet.seen():
        caller = next((each for mark, each in callers.items() if mark in seen.body), None)
        if seen.fault_at is not None and caller is not None:
            after = [at for at in caller.arrivals if at > seen.fault_at] or [caller.ended_at]
            found.append(max(one - other for other, one in pairwise([seen.fault_at, *after])))
    return found


def impatience(fleet: Fleet) -> list[Verdict]:
    """Say whether the first replica was asked again before the time that it asked for had passed."""
    refused = [
        (seen.fault_at, seen.fault_at + float(seen.fault.partition(":")[2]), seen.head_at)
        for seen in fleet.replicas[0].log.requests
        if seen.fault is not None and ":" in seen.fault and seen.fault_at is not None
    ]
    early = sum(any(begin + _ON_ITS_WAY_S < at < end for begin, end, _ in refused) for _, _, at in refused)
    return [Verdict(Grade.PARTIAL, f"asked {early} times before Retry-After was over")] if early else []


def asked_again(fleet: Fleet, marks: Iterable[str]) -> list[Verdict]:
    """Say how many of these requests were tried more than once, although no replica could do better."""
    bodies = [seen.body for seen in fleet.seen()]
    again = sum(sum(mark.encode() in body for body in bodies) > 1 for mark in marks)
    return [Verdict(Grade.PARTIAL, f"{again} refused requests were tried again")] if again else []


def busy_replicas(fleet: Fleet) -> int:
    """Count the replicas that have made tokens."""
    return sum(any(seen.tokens for seen in sim.log.requests) for sim in fleet.replicas)
