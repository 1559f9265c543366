"""The time-outs of a route: those of all, but for what its own settings say."""

from collections.abc import Mapping

from vllm_gateway.settings.fleet import RouteSettings
from vllm_gateway.settings.model import Timeouts


class RouteTimeouts:
    """Knows the time-outs of every route; they are worked out once."""

    def __init__(self, timeouts: Timeouts, routes: Mapping[str, RouteSettings]) -> None:
        self._timeouts = timeouts
        self._of_routes = {route: _own(timeouts, settings) for route, settings in routes.items()}

    def of(self, route: str) -> Timeouts:
        """Return what holds for a route."""
        return self._of_routes.get(route, self._timeouts)


def _own(timeouts: Timeouts, settings: RouteSettings) -> Timeouts:
    own = {"first_token_s": settings.first_token_s, "idle_s": settings.idle_s}
    return timeouts.model_copy(update={name: seconds for name, seconds in own.items() if seconds is not None})
