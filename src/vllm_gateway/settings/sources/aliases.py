"""Environment names of five earlier services, so that their deployments start unchanged.

They fill only what nothing else has set: a flag, a `GATEWAY_...` variable or the settings file wins. The tables are
data; `docs/configuration.md` prints them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from vllm_gateway.settings.places import Place
from vllm_gateway.settings.problems import Problem
from vllm_gateway.settings.sources.reading import Assignment, Reading
from vllm_gateway.settings.sources.variables import Unreadable, Variables
from vllm_gateway.settings.tree import Tree


@dataclass(frozen=True, slots=True)
class Alias:
    """Names that mean one setting (or several); the first name that is set counts."""

    names: tuple[str, ...]
    places: tuple[Place, ...]
    read: Callable[[str], object] = str
    note: str = ""


def _comma_separated(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


ALIASES = (
    Alias(("API_PORT", "PORT"), (("port",),)),
    Alias(("LOG_LEVEL",), (("log_level",),)),
    Alias(("DEFAULT_MODEL_KEY",), (("default_route",),)),
    Alias(("MODEL_ID", "DEFAULT_MODEL", "DEFAULT_MODEL_NAME", "VLLM_MODEL_NAME"), (("default_model",),)),
    Alias(("ALLOWED_MODELS",), (("allowed_models",),), _comma_separated, ", separated by commas"),
    Alias(("CONNECT_TIMEOUT_SECONDS",), (("timeouts", "connect_s"),)),
    Alias(("READ_TIMEOUT_SECONDS",), (("timeouts", "first_token_s"), ("timeouts", "idle_s"))),
    Alias(("TOTAL_TIMEOUT_SECONDS",), (("timeouts", "total_s"),)),
)

UPSTREAM_NAMES = ("VLLM_URL", "VLLM_BASE_URL", "OPENAI_BASE_URL")
"""One upstream of the route `default`; the first name that is set counts."""

ROUTE_PREFIX = "MODEL_ROUTE_"
"""`MODEL_ROUTE_<KEY>=URL`: an upstream of the route `<key>`, in small letters."""

UPSTREAM_KEY = "VLLM_API_KEY"
"""The key of every upstream that has none of its own."""


def fill(tree: Tree, sources: Sequence[Variables]) -> list[Problem]:
    """Fill what the tree lacks from the earlier names, the first source before the next; return what was wrong."""
    reading = Reading()
    for alias in ALIASES:
        reading.add(*_read(alias, sources))
    if not tree.has(("upstreams",)):
        reading.add(*_upstreams(sources))
    for one in reading.assignments:
        if one.place[0] == "upstreams" or not tree.has(one.place):
            tree.put(one.place, one.value, one.origin)
    reading.add(problems=_fill_keys(tree, sources))
    _match_route(tree)
    return reading.problems


def _read(alias: Alias, sources: Sequence[Variables]) -> tuple[list[Assignment], list[Problem]]:
    try:
        found = _first(alias.names, sources)
    except Unreadable as fault:
        return [], [Problem(fault.origin, str(fault))]
    if found is None:
        return [], []
    text, origin = found
    return [Assignment(place, alias.read(text), origin) for place in alias.places], []


def _first(names: Sequence[str], sources: Sequence[Variables]) -> tuple[str, str] | None:
    """Return the text and the origin of the first name that is set."""
    for variables in sources:
        for name in names:
            if (text := variables.text(name)) is not None:
                return text, variables.origin(name)
    return None


def _upstreams(sources: Sequence[Variables]) -> tuple[list[Assignment], list[Problem]]:
    """Return the upstreams that the earlier names give: one by its address, the others by route."""
    found: dict[str, tuple[str, str]] = {}
    try:
        if (single := _first(UPSTREAM_NAMES, sources)) is not None:
            found["default"] = single
        for name, variables in _route_names(sources):
            if (text := variables.text(name)) is not None:
                found.setdefault(name.removeprefix(ROUTE_PREFIX).lower(), (text, variables.origin(name)))
    except Unreadable as fault:
        return [], [Problem(fault.origin, str(fault))]
    entries = enumerate(found.items())
    return [
        Assignment(("upstreams", index, key), value, origin)
        for index, (route, (url, origin)) in entries
        for key, value in (("route", route), ("url", url))
    ], []


def _route_names(sources: Sequence[Variables]) -> Iterator[tuple[str, Variables]]:
    for variables in sources:
        for name in dict.fromkeys(name.removesuffix("_FILE") for name in variables.names()):
            if name.startswith(ROUTE_PREFIX) and name != ROUTE_PREFIX:
                yield name, variables


def _fill_keys(tree: Tree, sources: Sequence[Variables]) -> list[Problem]:
    try:
        found = _first((UPSTREAM_KEY,), sources)
    except Unreadable as fault:
        return [Problem(fault.origin, str(fault))]
    upstreams = tree.values.get("upstreams")
    for index, upstream in enumerate(upstreams if found and isinstance(upstreams, list) else []):
        place = ("upstreams", index, "api_key")
        if found and isinstance(upstream, dict) and not tree.has(place):
            tree.put(place, *found)
    return []


def _match_route(tree: Tree) -> None:
    """Write `DEFAULT_MODEL_KEY=TINY` as the route that `MODEL_ROUTE_TINY` made."""
    route, upstreams = tree.values.get("default_route"), tree.values.get("upstreams")
    if not isinstance(route, str) or not isinstance(upstreams, list):
        return
    routes = {upstream.get("route") for upstream in upstreams if isinstance(upstream, dict)}
    if route not in routes and route.lower() in routes:
        tree.put(("default_route",), route.lower(), tree.origin(("default_route",)))
