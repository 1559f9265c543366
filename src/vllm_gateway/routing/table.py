"""From the name of a model to the replicas that can answer for it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from vllm_gateway.errors import FieldInvalid, ModelAmbiguous, ModelForbidden, ModelUnknown, ReplicasUnusable

_NAMES_SHOWN = 20
"""An error that lists models stays readable."""


class Server(Protocol):
    """What the table knows of a replica."""

    @property
    def route(self) -> str:
        """Name of the route that it belongs to."""
        ...

    @property
    def models(self) -> Collection[str]:
        """Ids of the models that it said it serves."""
        ...


S = TypeVar("S", bound=Server)


@dataclass(frozen=True, slots=True)
class Table:
    """The settings that decide which model is meant, and who may have it."""

    aliases: Mapping[str, str] = field(default_factory=dict)
    """Other names of models."""
    default_model: str | None = None
    """What is meant when a body names no model."""
    default_route: str | None = None
    """Who answers when neither a model nor a route is named."""
    allowed_models: Collection[str] = ()
    """The only models that may be asked for; empty allows all. An alias counts by its own name and by its model's."""

    models_of_caller: Collection[str] = ()
    """The only models that the caller's key may ask for; empty allows all. Both lists hold."""

    rejects_ambiguous: bool = False
    """A model that several routes serve must be asked for with the name of one of them."""

    def within(self, models: Collection[str]) -> "Table":
        """Return the table as it is for a caller who may ask for these models only; empty: for every model."""
        return replace(self, models_of_caller=models) if models else self

    def find(self, asked: str | None, servers: Sequence[S], *, route: str | None = None) -> tuple[str, list[S]]:
        """Return the model that is meant and who serves it; `route` leaves only the replicas of that route.

        Raises:
            FieldInvalid: no model is named and none can be taken for granted.
            ModelAmbiguous: several routes serve it, and it is not to be guessed which is meant.
            ModelForbidden: the model is not on the allow-list.
            ModelUnknown: nobody serves it; the message names those that may be asked for.
            ReplicasUnusable: no replica has said yet what it serves.
        """
        if route is not None:
            servers = self._of_route(route, servers)
        everyone = servers
        if asked is None and route is None:
            servers = self._where_nothing_is_named(servers)
        name = asked or self._taken_for_granted(servers)
        if name is None:
            self._demand_known(servers)
            raise FieldInvalid(f"Name a model in 'model'. {self._known(everyone)}", param="model")
        model = self.aliases.get(name, name)
        if not self.is_allowed(name):
            raise ModelForbidden(
                f"The model {_quoted(name)} may not be used here. {self._known(servers)}", param="model"
            )
        serving = [server for server in servers if model in server.models]
        if not serving:
            self._demand_known(servers)
            raise ModelUnknown(
                f"No model server offers the model {_quoted(name)}. {self._known(servers)}", param="model"
            )
        if self.rejects_ambiguous and len(routes := sorted({server.route for server in serving})) > 1:
            raise ModelAmbiguous(
                f"Several routes serve the model {_quoted(name)}. Pick one with 'modelKey': {', '.join(routes)}.",
                param="modelKey",
            )
        return model, serving

    def find_all(self, servers: Sequence[S], *, route: str | None = None) -> list[tuple[str, str | None]]:
        """Return every model that may be meant when none is named, with its route, the likeliest first."""
        if route is not None:
            servers = self._of_route(route, servers)
        preferred = servers if route is not None else self._where_nothing_is_named(servers)
        its_route = preferred[0].route if preferred is not servers else route
        found = [(name, its_route) for name in self._likely(preferred)] + [
            (name, route) for name in self._likely(servers)
        ]
        return list(dict.fromkeys(found))

    def names(self, servers: Sequence[S]) -> list[str]:
        """Return every name that may be asked for now: models and aliases of served models, in order of appearance."""
        served = dict.fromkeys(model for server in servers for model in server.models)
        names = dict.fromkeys([*served, *self.aliases])
        return [name for name in names if self.aliases.get(name, name) in served and self.is_allowed(name)]

    def is_allowed(self, name: str) -> bool:
        """Say whether the allow-lists let this name through."""
        if not self.allowed_models and not self.models_of_caller:
            return True
        names = {name, self.aliases.get(name, name)}
        return all(
            not allowed or not names.isdisjoint(allowed) for allowed in (self.allowed_models, self.models_of_caller)
        )

    def _of_route(self, route: str, servers: Iterable[S]) -> list[S]:
        servers = list(servers)
        of_route = [server for server in servers if server.route.lower() == route.lower()]
        if not of_route:
            routes = ", ".join(sorted({server.route for server in servers}))
            raise ModelUnknown(f"There is no route {_quoted(route)}. Routes: {routes}.", param="modelKey")
        return of_route

    def _likely(self, servers: Sequence[S]) -> list[str]:
        likeliest = self._taken_for_granted(servers)
        return [*([likeliest] if likeliest else []), *self.names(servers)]

    def _where_nothing_is_named(self, servers: Sequence[S]) -> Sequence[S]:
        """Return the replicas of the default route, unless the default model is elsewhere."""
        wanted = (self.default_route or "").lower()
        of_route = [server for server in servers if server.route.lower() == wanted]
        default = self.aliases.get(self.default_model, self.default_model) if self.default_model else None
        is_elsewhere = default is not None and not any(default in server.models for server in of_route)
        return servers if not of_route or is_elsewhere else of_route

    def _taken_for_granted(self, servers: Sequence[S]) -> str | None:
        """Return the model that is meant when none is named: the default, or the only one that these servers have."""
        models = {model for server in servers for model in server.models}
        default = self.default_model
        if default is not None and (self.aliases.get(default, default) in models or not models):
            return default
        return models.pop() if len(models) == 1 else default

    def _known(self, servers: Sequence[S]) -> str:
        names = self.names(servers)
        if not names:
            return "No other model may be used."
        more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
        return f"Available: {', '.join(names[:_NAMES_SHOWN])}{more}."

    @staticmethod
    def _demand_known(servers: Iterable[S]) -> None:
        if not any(server.models for server in servers):
            raise ReplicasUnusable("No model server has answered yet. Try again in a moment.", retry_after_s=2)


def _quoted(name: str) -> str:
    """Quote a name from outside: one line, bounded."""
    shown = name if len(name) <= 100 else name[:100] + "..."  # noqa: PLR2004 - long enough for any real id
    return f"'{shown.encode('unicode_escape').decode()}'" if not shown.isprintable() else f"'{shown}'"
