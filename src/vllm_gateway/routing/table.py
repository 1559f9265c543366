"""From the name of a model to the replicas that can answer for it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from vllm_gateway.errors import FieldInvalid, ModelForbidden, ModelUnknown, ReplicasUnusable

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
    """Whose model is meant when there is no default model."""
    allowed_models: Collection[str] = ()
    """The only models that may be asked for; empty allows all. An alias counts by its own name and by its model's."""

    def find(self, asked: str | None, servers: Sequence[S]) -> tuple[str, list[S]]:
        """Return the model that is meant and who serves it.

        Raises:
            FieldInvalid: no model is named and none can be taken for granted.
            ModelForbidden: the model is not on the allow-list.
            ModelUnknown: nobody serves it; the message names those that may be asked for.
            ReplicasUnusable: no replica has said yet what it serves.
        """
        name = asked or self.default_model or self._only_model(servers)
        if name is None:
            self._demand_known(servers)
            raise FieldInvalid(f"Name a model in 'model'. {self._known(servers)}", param="model")
        model = self.aliases.get(name, name)
        if self.allowed_models and name not in self.allowed_models and model not in self.allowed_models:
            raise ModelForbidden(
                f"The model {_quoted(name)} may not be used here. {self._known(servers)}", param="model"
            )
        serving = [server for server in servers if model in server.models]
        if not serving:
            self._demand_known(servers)
            raise ModelUnknown(
                f"No model server offers the model {_quoted(name)}. {self._known(servers)}", param="model"
            )
        return model, serving

    def names(self, servers: Sequence[S]) -> list[str]:
        """Return every name that may be asked for now: models and aliases of served models, in order of appearance."""
        served = dict.fromkeys(model for server in servers for model in server.models)
        names = dict.fromkeys([*served, *self.aliases])
        return [name for name in names if self.aliases.get(name, name) in served and self.is_allowed(name)]

    def is_allowed(self, name: str) -> bool:
        """Say whether the allow-list lets this name through."""
        return not self.allowed_models or not {name, self.aliases.get(name, name)}.isdisjoint(self.allowed_models)

    def _only_model(self, servers: Iterable[S]) -> str | None:
        """Return the model that cannot be mistaken: the only one of the default route, or the only one there is."""
        of_route = [server for server in servers if self.default_route in {None, server.route}]
        models = {model for server in of_route for model in server.models}
        return models.pop() if len(models) == 1 else None

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
