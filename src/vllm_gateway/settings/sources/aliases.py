"""Environment names of five earlier services, so that their deployments start unchanged.

They fill only what nothing else has set: a flag, a `GATEWAY_...` variable or the settings file wins. The tables are
data; `docs/configuration.md` prints them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from vllm_gateway.settings.places import Place
from vllm_gateway.settings.problems import Problem
from vllm_gateway.settings.sources.reading import Assignment, Reading
from vllm_gateway.settings.sources.variables import Unreadable, Variables
from vllm_gateway.settings.sources.yaml_text import YamlFault, read_value
from vllm_gateway.settings.tree import Tree

Values = Mapping[Place, object]


@dataclass(frozen=True, slots=True)
class Alias:
    """Names that mean one setting (or several); the first name that is set counts.

    Both readers raise `ValueError` with a sentence when the text means nothing.
    """

    names: tuple[str, ...]
    places: tuple[Place, ...]
    read: Callable[[str], object] = str
    note: str = ""
    split: Callable[[str], Values] | None = None
    """Reads the text where it means something else for each place."""

    def values(self, text: str) -> Values:
        """Return what the text means for each place that it sets."""
        return dict.fromkeys(self.places, self.read(text)) if self.split is None else self.split(text)


def _listed(text: str) -> object:
    if not text.lstrip().startswith("["):
        return [word.strip() for word in text.split(",") if word.strip()]
    try:
        return read_value(text)
    except YamlFault:
        raise ValueError("must be a JSON list, or values separated by commas") from None


def _is_on(text: str) -> bool:
    word = text.strip().lower()
    if word not in _ON | _OFF:
        raise ValueError("must be true or false")
    return word in _ON


_LISTED = ", separated by commas or as a JSON list"
_ON = frozenset({"1", "true", "t", "yes", "y", "on"})
_OFF = frozenset({"0", "false", "f", "no", "n", "off"})
_MODE: Place = ("auth", "mode")
_CLIENT_KEYS: Place = ("auth", "client_keys")
_BACKEND: Place = ("session", "backend")
_LIMITS_BACKEND: Place = ("limits", "backend")
_REDIS_URL: Place = ("state", "redis_url")


def _auth_required(text: str) -> Values:
    return {_MODE: "keys"} if _is_on(text) else {_MODE: "none", _CLIENT_KEYS: []}


def _client_key(text: str) -> Values:
    return {_CLIENT_KEYS: [text], _MODE: "keys"}


def _use_redis(text: str) -> Values:
    return {_BACKEND: "redis", _LIMITS_BACKEND: "redis"} if _is_on(text) else {_REDIS_URL: None}


ALIASES = (
    Alias(("API_PORT", "PORT"), (("port",),)),
    Alias(("LOG_LEVEL",), (("log_level",),)),
    Alias(("DEFAULT_MODEL_KEY",), (("default_route",),)),
    Alias(("MODEL_ID", "DEFAULT_MODEL", "DEFAULT_MODEL_NAME", "VLLM_MODEL_NAME"), (("default_model",),)),
    Alias(("ALLOWED_MODELS",), (("allowed_models",),), _listed, _LISTED),
    Alias(("CONNECT_TIMEOUT_SECONDS",), (("timeouts", "connect_s"),)),
    Alias(("READ_TIMEOUT_SECONDS",), (("timeouts", "first_token_s"), ("timeouts", "idle_s"))),
    Alias(("WRITE_TIMEOUT_SECONDS",), (("timeouts", "write_s"),)),
    Alias(("TOTAL_TIMEOUT_SECONDS",), (("timeouts", "total_s"),)),
    Alias(("SSE_HEARTBEAT_SECONDS",), (("sse_heartbeat_s",),)),
    Alias(("CORS_ORIGINS", "ALLOW_ORIGINS"), (("cors_origins",),), _listed, _LISTED),
    Alias(
        ("AUTH_REQUIRED",),
        (_MODE,),
        note=": `keys` if true; `none` if false, and then `PROXY_API_KEY` and `API_KEY` are not read",
        split=_auth_required,
    ),
    Alias(
        ("PROXY_API_KEY", "API_KEY"), (_CLIENT_KEYS, _MODE), note=": one key, and the mode `keys`", split=_client_key
    ),
    Alias(
        ("USE_REDIS",),
        (_BACKEND, _LIMITS_BACKEND),
        note=": `redis` if true; if false, `REDIS_URL` is not read",
        split=_use_redis,
    ),
    Alias(("REDIS_URL",), (_REDIS_URL,)),
    Alias(("SESSION_TTL_SECONDS",), (("session", "ttl_s"),)),
    Alias(("MAX_CONTEXT_TOKENS",), (("session", "max_context_tokens"),)),
    Alias(("RATE_LIMIT_PER_MINUTE", "RATE_LIMIT_PER_MIN"), (("limits", "requests_per_minute"),)),
    Alias(("GATEWAY_RATE_LIMIT_RPS",), (("limits", "requests_per_second"),)),
    Alias(("GATEWAY_MAX_TOKENS_CAP",), (("limits", "max_tokens_cap"),)),
    Alias(("GATEWAY_CACHE_TTL_SECONDS",), (("cache", "ttl_s"),)),
    Alias(("METRICS_PUBLIC", "PROMETHEUS_ENABLE"), (("metrics", "public"),)),
)
"""In this order: what an earlier one has set, a later one leaves."""

UPSTREAM_NAMES = ("VLLM_URL", "VLLM_BASE_URL", "OPENAI_BASE_URL")
"""One upstream of the route `default`; the first name that is set counts."""

ROUTE_PREFIX = "MODEL_ROUTE_"
"""`MODEL_ROUTE_<KEY>=URL`: an upstream of the route `<key>`, in small letters."""

UPSTREAM_KEY = "VLLM_API_KEY"
"""The key of every upstream that has none of its own."""

NAMES = frozenset(name for alias in ALIASES for name in alias.names) | {*UPSTREAM_NAMES, UPSTREAM_KEY}
"""All names but those of single routes."""


def fill(tree: Tree, sources: Sequence[Variables]) -> list[Problem]:
    """Fill what the tree lacks from the earlier names, the first source before the next; return what was wrong."""
    reading = Reading()
    for alias in ALIASES:
        reading.add(*_read(alias, sources))
    if not tree.has(("upstreams",)):
        reading.add(*_upstreams(sources))
    for one in reading.assignments:
        if one.place[0] == "upstreams" or _is_free(tree, one.place):
            tree.put(one.place, one.value, one.origin)
    reading.add(problems=_fill_keys(tree, sources))
    _match_route(tree)
    return reading.problems


def _is_free(tree: Tree, place: Place) -> bool:
    """Return whether nothing was said about the place, not even something wrong about the section around it."""
    is_in_section = len(place) == 1 or isinstance(tree.values.get(str(place[0]), {}), dict)
    return is_in_section and not tree.has(place)


def _read(alias: Alias, sources: Sequence[Variables]) -> tuple[list[Assignment], list[Problem]]:
    try:
        found = _first(alias.names, sources)
    except Unreadable as fault:
        return [], [Problem(fault.origin, str(fault))]
    if found is None:
        return [], []
    text, origin = found
    try:
        return [Assignment(place, value, origin) for place, value in alias.values(text).items()], []
    except ValueError as fault:
        return [], [Problem(origin, str(fault))]


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
