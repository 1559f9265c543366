"""What becomes of a replica's work when callers leave: how soon is its connection closed?"""

import asyncio
from dataclasses import dataclass

from vllm_gateway.chaos.caller import Heard, ask
from vllm_gateway.chaos.playing import Scene
from vllm_gateway.chaos.questions import CHAT_STREAM, COMPLETION_STREAM, question
from vllm_gateway.sim.journal import RequestSeen

_PACE_S = 0.03
_READS = 3
"""A caller leaves after so many reads, in the midst of its answer."""
_ANSWER_TOKENS = 400
_MOST_WAIT_S = 3.0
_LOOK_EVERY_S = 0.02


@dataclass(frozen=True, slots=True)
class Leaving:
    """What was measured."""

    callers: int
    closed_s: tuple[float, ...]
    """From a caller's leaving to the end of its connection at the replica; of those that ended at all."""


async def measure_leaving(scene: Scene, callers: int = 40) -> Leaving:
    """Let callers leave in the midst of their answers, and look when the replicas notice."""
    await scene.fleet.rest()
    asked = [
        question(COMPLETION_STREAM if at % 2 else CHAT_STREAM, at, mark=f"(case leave-{at})", max_tokens=_ANSWER_TOKENS)
        for at in range(callers)
    ]
    left: dict[bytes, Heard] = {}
    for each in asked:
        left[each.mark.encode()] = await ask(
            scene.target,
            each.path,
            each.body,
            patience_s=scene.measures.hung_s,
            leave_when=lambda heard: len(heard.arrivals) >= _READS,
        )
        await asyncio.sleep(_PACE_S)
    waited_s = 0.0
    while waited_s < _MOST_WAIT_S and any(seen.ended_at is None for seen in scene.fleet.seen()):
        await asyncio.sleep(_LOOK_EVERY_S)
        waited_s += _LOOK_EVERY_S
    delays = (_delay(seen, left) for seen in scene.fleet.seen())
    return Leaving(len(asked), tuple(sorted(delay for delay in delays if delay is not None)))


def _delay(seen: RequestSeen, left: dict[bytes, Heard]) -> float | None:
    """Return how much later than its caller a request ended; None when it did not end for that reason."""
    if seen.gone_at is None:
        return None
    at = next((heard.ended_at for mark, heard in left.items() if mark in seen.body), None)
    return None if at is None else max(0.0, seen.gone_at - at)
