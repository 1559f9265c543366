"""What outlives a reload because it was learned."""

from random import Random

from tests.exchanges import exchange
from tests.routing.candidates import Candidate
from vllm_gateway.clock import HandClock
from vllm_gateway.serve.learned import Learned, Policies
from vllm_gateway.settings.model import Settings, Upstream
from vllm_gateway.upstream.pool import Change, Pool


def test_every_route_has_one_policy_of_its_own() -> None:
    """What one route's replicas have cached says nothing of another's."""
    policies = Policies(Settings.model_validate({"balance": {"policy": "prefix"}}), Random(1))  # noqa: S311 - a test
    assert policies.of("a") is policies.of("a")
    assert policies.of("a") is not policies.of("b")


def test_a_route_may_have_another_policy() -> None:
    """The others keep that of all."""
    settings = Settings.model_validate({"routes": {"a": {"policy": "round_robin"}, "b": {}}})
    policies = Policies(settings, Random(1))  # noqa: S311 - a test
    busy, idle = Candidate(work=5, turn=0, name="busy"), Candidate(work=0, turn=1, name="idle")
    chosen = [policies.of(route).choose([busy, idle], exchange()) for route in ("a", "b", "c")]
    assert chosen == [busy, idle, idle]


def test_policies_stay_until_the_settings_say_something_else_of_them() -> None:
    """A reload for another reason does not make anybody forget what is cached where."""
    learned = Learned(HandClock())
    before = learned.policies(Settings())
    assert learned.policies(Settings(default_model="m")) is before
    other = learned.policies(Settings.model_validate({"balance": {"policy": "prefix"}}))
    assert other is not before
    assert learned.policies(Settings.model_validate({"balance": {"policy": "prefix"}, "port": 1})) is other


def test_what_is_known_of_a_replica_goes_with_it() -> None:
    """Another one may get its name, and its cache is empty."""
    learned = Learned(HandClock())
    (gone,) = Pool([Upstream(url="http://h")], clock=HandClock(), connect_s=1).replicas
    learned.look(Change(removed=(gone,)))
    policies = learned.policies(Settings.model_validate({"balance": {"policy": "prefix"}}))
    policy = policies.of("default")
    forgotten: list[str] = []
    policy.forget = forgotten.append  # type: ignore[assignment] # only the call is of interest here
    learned.look(Change(removed=(gone,), added=(gone,)))
    assert forgotten == ["default-1"]
