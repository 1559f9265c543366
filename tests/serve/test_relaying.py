"""What asks replicas, put together."""

from functools import partial

from vllm_gateway.admission.turnstile import Turnstile
from vllm_gateway.clock import SystemClock
from vllm_gateway.serve.learned import Learned
from vllm_gateway.serve.opening import open_deadlines, open_pool, open_waking
from vllm_gateway.serve.relaying import open_relaying
from vllm_gateway.settings.model import Settings
from vllm_gateway.upstream.replica import Replica

CLOCK = SystemClock()


async def test_what_was_learned_is_shared_by_all_that_are_open() -> None:
    """After a reload conversations find their replicas again; how requests are asked is made anew."""
    learned, settings = Learned(CLOCK), Settings.model_validate({"hedge": {"enabled": True}})
    turnstile: Turnstile[Replica] = Turnstile(settings.queue, clock=CLOCK)
    async with (
        open_pool(settings, (), CLOCK) as pool,
        open_deadlines(CLOCK) as deadlines,
        open_waking(settings, pool, deadlines, CLOCK) as waking,
    ):
        opened = partial(
            open_relaying, settings, pool, learned=learned, waking=waking, deadlines=deadlines, clock=CLOCK
        )
        async with opened(turnstile=None) as one, opened(turnstile=turnstile) as two:
            assert one.policies is two.policies
            assert one.affinity is two.affinity
            assert one.relay is not two.relay
