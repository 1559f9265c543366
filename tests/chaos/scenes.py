"""A fleet with our own gateway before it, for tests that look at both, and answers that are made by hand."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from vllm_gateway.chaos.answer import Answer, read
from vllm_gateway.chaos.caller import Heard, Target
from vllm_gateway.chaos.fleet import calm, fleet
from vllm_gateway.chaos.gateways import own
from vllm_gateway.chaos.playing import Measures, Scene

SMALL = Measures(late_s=5, hung_s=8, flap_s=1, hits=2, asked=6, settling=1, pace_s=0.01)


@asynccontextmanager
async def scene(measures: Measures = SMALL) -> AsyncIterator[Scene]:
    """Run undisturbed replicas, a fleet, and our own gateway before it."""
    async with calm() as undisturbed, fleet(undisturbed) as replicas, own(replicas) as target:
        yield Scene(replicas, target, measures)


@asynccontextmanager
async def unguarded(measures: Measures = SMALL) -> AsyncIterator[Scene]:
    """Run a fleet without a gateway: callers ask the first replica itself, and see all that breaks."""
    async with calm() as undisturbed, fleet(undisturbed) as replicas:
        first = replicas.replicas[0]
        yield Scene(replicas, Target(first.host, first.port), measures)


def told(*events: str, status: int = 200, is_whole: bool = True, seconds: float = 0.1) -> Answer:
    """Return the answer of a stream with these events."""
    body = bytearray("".join(f"data: {event}\n\n" for event in events).encode())
    return read(
        Heard(10.0, status=status, body=body, is_whole=is_whole, ended_at=10.0 + seconds),
        is_stream=True,
    )
