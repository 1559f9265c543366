"""What was learned about requests while they were answered, and is not lost when the settings are read again."""

import os
from random import Random

from vllm_gateway.admission.rules.outgoing import RANDOM_BYTES
from vllm_gateway.clock import Clock
from vllm_gateway.routing.affinity import Affinity
from vllm_gateway.routing.policies import Policy, policy_of
from vllm_gateway.settings.model import Settings
from vllm_gateway.upstream.pool import Change
from vllm_gateway.upstream.quarantine import Quarantine


class Policies:
    """The policy of every route; each is made when its route is asked for first."""

    def __init__(self, settings: Settings, chance: Random) -> None:
        self.made_of = (settings.balance, settings.routes, settings.isolate_prefix_cache)
        """The settings that make other policies when they change."""
        self._settings = settings
        self._chance = chance
        self._of_routes: dict[str, Policy] = {}

    def of(self, route: str) -> Policy:
        """Return the policy of a route."""
        policy = self._of_routes.get(route)
        if policy is None:
            own = self._settings.routes.get(route)
            name = (own.policy if own is not None else None) or self._settings.balance.policy
            policy = self._of_routes[route] = policy_of(
                name,
                balance=self._settings.balance,
                random=self._chance,
                isolates=self._settings.isolate_prefix_cache,
            )
        return policy

    def forget(self, replica_name: str) -> None:
        """Forget what is in the cache of a replica: it is gone."""
        for policy in self._of_routes.values():
            policy.forget(replica_name)


class Learned:
    """Where conversations were, what is in the replicas' caches, and which requests took replicas down."""

    def __init__(self, clock: Clock) -> None:
        self.chance = Random()  # noqa: S311 - spreads load, hides nothing
        self.secret = os.urandom(RANDOM_BYTES)
        """What callers' prompts are kept apart with, where the settings name none."""
        self.affinity = Affinity()
        self.quarantine = Quarantine(clock=clock)
        self._policies: Policies | None = None

    def policies(self, settings: Settings) -> Policies:
        """Return the policies for these settings; as long as they say the same of them, those of before."""
        policies = Policies(settings, self.chance)
        if self._policies is None or self._policies.made_of != policies.made_of:
            self._policies = policies
        return self._policies

    def look(self, change: Change) -> None:
        """Hear of replicas that went."""
        for replica in change.removed:
            if self._policies is not None:
                self._policies.forget(replica.name)
