"""Our own gateway before a fleet."""

from tests.chaos.scenes import scene
from vllm_gateway.chaos.fleet import calm, fleet
from vllm_gateway.chaos.gateways import SILENCE_S, own_settings
from vllm_gateway.chaos.playing import settle
from vllm_gateway.settings.fleet import Hedge, Resume, Retry


async def test_it_answers_from_its_replicas() -> None:
    """A gateway that was started answers, and its replicas have seen the requests."""
    async with scene() as all_of_it:
        assert await settle(all_of_it)
        assert all_of_it.fleet.attempts() == 4


async def test_it_differs_from_the_defaults_in_patience_only() -> None:
    """What it does when replicas fail is what it does for everybody."""
    async with calm() as undisturbed, fleet(undisturbed) as three:
        settings = own_settings(three)
    assert (settings.retry, settings.resume, settings.hedge) == (Retry(), Resume(), Hedge())
    assert settings.timeouts.first_token_s == settings.timeouts.idle_s == SILENCE_S
    assert [each.route for each in settings.upstreams] == ["default", "default", "large"]
