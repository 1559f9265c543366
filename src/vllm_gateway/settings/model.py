"""Every setting: what it does, its unit, its default, and what follows from it.

The docstring under each field is the documentation: `config schema`, `config init` and `docs/configuration.md` are
made from it. The defaults are the contract's. A value that this version cannot honour yet is refused by
`available.py`, never ignored.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from vllm_gateway.settings.client_key import read_client_key
from vllm_gateway.settings.origins import read_origin
from vllm_gateway.settings.store_urls import read_database_url, read_redis_url
from vllm_gateway.settings.upstream_url import read_upstream_url

MIN_CONTEXT_TOKENS = 64
"""In a smaller context no turn would ever fit."""


def _number_not_bool(value: object) -> object:
    """Refuse `true` where a number is meant: Python would read it as 1."""
    if isinstance(value, bool):
        raise ValueError("must be a number, not true or false")  # noqa: TRY004 - pydantic reads ValueError only
    return value


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _secret_or_none(value: object) -> object:
    """Read an empty secret as none: `${KEY:-}` without KEY is how people write an optional one."""
    return None if value == "" else value


def _room_or_none(tokens: int) -> int:
    """Refuse a context in which no turn would ever fit."""
    if 0 < tokens < MIN_CONTEXT_TOKENS:
        raise ValueError(f"must be 0, or at least {MIN_CONTEXT_TOKENS}")
    return tokens


_Number = BeforeValidator(_number_not_bool)
Port = Annotated[int, Field(ge=0, le=65535), _Number]
Name = Annotated[str, Field(min_length=1, max_length=256)]
RouteName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Secret = Annotated[SecretStr | None, BeforeValidator(_secret_or_none)]
FilePath = Annotated[str, Field(min_length=1, max_length=4096)]
Seconds = Annotated[float, Field(ge=0, le=86_400), _Number]
Lifetime = Annotated[float, Field(ge=0, le=31_536_000), _Number]
Minute = Annotated[float, Field(gt=0, le=3600), _Number]
Percent = Annotated[float, Field(ge=0, le=100), _Number]
Count = Annotated[int, Field(ge=0, le=1_000_000_000), _Number]
LogLevel = Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)]


class Section(BaseModel):
    """What all parts of the settings share: they never change, and a key that they do not know is a fault."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True, validate_default=True
    )


class Upstream(Section):
    """One replica: a vLLM server that the gateway sends requests to."""

    url: Annotated[str, AfterValidator(read_upstream_url)]
    """Address of the vLLM server, `http://host:port` with or without `/v1`. Required."""

    route: RouteName = "default"
    """Name of the route. Replicas of one route hold the same model and share its work; clients may pick a route by
    this name (`modelKey`)."""

    api_key: Secret = None
    """Key that the gateway sends to this replica (vLLM's `--api-key`). Without one no key is sent; the caller's own
    key never reaches a replica."""

    weight: Annotated[float, Field(gt=0, le=1000), _Number] = 1.0
    """Share of the route's work: a replica of weight 2 gets twice as much as one of weight 1."""

    tokenizer_path: FilePath | None = None
    """Folder with the model's `tokenizer.json` and `tokenizer_config.json` (or `chat_template.jinja`). With it the
    gateway counts a conversation's tokens itself; without it the replica does (`/tokenize`). Needs the extra
    `tokenizer`."""

    @property
    def root(self) -> str:
        """The address without `/v1` and without a trailing slash."""
        return self.url.removesuffix("/v1")


class Auth(Section):
    """Who may call the gateway."""

    mode: Literal["none", "keys", "upstream"] = "none"
    """`none`: everyone who reaches the port. `keys`: callers with one of `client_keys`. `upstream`: the replica checks
    the caller's key."""

    client_keys: tuple[Annotated[SecretStr, AfterValidator(read_client_key)], ...] = ()
    """Keys that clients may use, as they send them (`Authorization: Bearer`, `X-API-Key` or `api-key`): 8 to 512
    characters each. Each is a caller of its own: it sees its own conversations only. Needs `mode: keys`."""

    keys_file: str | None = None
    """File with the hashes of the client keys, written by `vllm-gateway keys create`."""

    admin_key: Secret = None
    """Key of the admin listener."""


class Limits(Section):
    """What one caller, and one request, may cost. 0 means no limit."""

    requests_per_minute: Count = 0
    """Requests per minute and caller. 0: no limit."""

    requests_per_second: Count = 0
    """Requests per second and caller. 0: no limit."""

    tokens_per_minute: Count = 0
    """Tokens, prompt and answer together, per minute and caller. 0: no limit."""

    concurrent: Count = 0
    """Requests of one caller at the same time. 0: no limit."""

    per: Literal["key", "ip"] = "key"
    """What makes a caller: the client key, or the client's address."""

    max_tokens_cap: Count = 0
    """Highest `max_tokens` that a request may ask for. 0: no limit but the model's."""

    max_body_bytes: Annotated[int, Field(ge=1024, le=1_073_741_824), _Number] = 10_485_760
    """Largest request body in bytes. A larger one gets 413 and reaches no replica."""

    max_header_bytes: Annotated[int, Field(ge=1024, le=1_048_576), _Number] = 65_536
    """Largest head of a request (request line and headers) in bytes. A larger one gets 431."""

    max_json_depth: Annotated[int, Field(ge=4, le=250), _Number] = 64
    """Deepest nesting of a JSON body. A deeper one gets 400 and reaches no replica."""


class Cache(Section):
    """Answers that are kept and given again for the same request."""

    backend: Literal["none", "memory", "redis"] = "none"
    """`none`: nothing is kept. `memory`: in each gateway process. `redis`: shared, at `state.redis_url`."""

    ttl_s: Seconds = 600.0
    """Seconds that an answer is kept."""

    any_temperature: bool = False
    """`true` also keeps answers that were drawn by chance (temperature above 0)."""


class Session(Section):
    """Conversations that the gateway keeps."""

    backend: Literal["memory", "sqlite", "postgres", "redis"] = "sqlite"
    """Where conversations are kept. `memory` forgets them at the end of the process, `sqlite` keeps a file on this
    machine, `postgres` is at `state.database_url`, `redis` at `state.redis_url`."""

    path: FilePath | None = None
    """File of the `sqlite` backend. Default: `vllm-gateway/sessions.sqlite` in the user's state directory
    (`$XDG_STATE_HOME`, otherwise `~/.local/state`)."""

    ttl_s: Lifetime = 600.0
    """Seconds without a turn after which a conversation is dropped. 0: never."""

    response_ttl_s: Lifetime = 86_400.0
    """Seconds that an answer of `/v1/responses` is kept for `previous_response_id`. 0: for ever."""

    max_context_tokens: Annotated[Count, AfterValidator(_room_or_none)] = 0
    """Tokens that a conversation may hold, its next answer included, before its oldest turns are dropped; at least 64.
    0: the model's `max_model_len`."""

    reply_tokens: Annotated[int, Field(ge=1, le=1_000_000), _Number] = 512
    """Room that is kept for the answer of a turn that names no `max_tokens`; at most a quarter of the context."""

    turn_wait_s: Seconds = 60.0
    """Seconds that a turn waits for the one before it in the same conversation. Then its caller gets 409."""


class State(Section):
    """Stores that several gateways share. The addresses may hold passwords and are never shown."""

    redis_url: Annotated[Secret, AfterValidator(read_redis_url)] = None
    """Address of Redis or Valkey, `redis://:password@host:6379/0`; `rediss://` with TLS, `unix://` for a socket."""

    database_url: Annotated[Secret, AfterValidator(read_database_url)] = None
    """Address of PostgreSQL, `postgresql://user:password@host/name`."""


class Metrics(Section):
    """The Prometheus page `/metrics`."""

    public: bool = False
    """`true` lets everyone read it when auth is on."""

    include_replicas: bool = True
    """Adds the series of every replica (`vllm:*`) with a label `replica`."""


class Retry(Section):
    """A second chance on another replica, before the first byte of the answer has reached the caller."""

    attempts: Annotated[int, Field(ge=1, le=10), _Number] = 3
    """Replicas that are asked for one request at most, the first one included. 1: no retry."""

    budget_percent: Percent = 20.0
    """Share of all requests that may be retries, in percent. When it is spent, failures are passed on, so that
    retries cannot drown replicas that are already in trouble. 0: no retry."""


class Timeouts(Section):
    """How long the gateway waits for a replica. 0 switches a time-out off."""

    connect_s: Seconds = 5.0
    """Seconds to connect to a replica. Then the next replica is tried, or the caller gets 502."""

    first_token_s: Seconds = 60.0
    """Seconds from a streaming request to the first byte of its answer. Then the caller gets 504."""

    write_s: Seconds = 0.0
    """Seconds that a replica may take to accept a request's bytes. Then the next replica is tried, or the caller gets
    504. 0: no limit but the others."""

    idle_s: Seconds = 30.0
    """Seconds of silence inside a streamed answer. Then the stream ends with an error event."""

    total_s: Seconds = 600.0
    """Seconds for a whole request. Then the caller gets 504, or an error event if the answer has begun."""


class Probe(Section):
    """How the gateway watches its replicas."""

    every_s: Minute = 5.0
    """Seconds between two looks at a replica (`/health`, and its models)."""

    timeout_s: Minute = 2.0
    """Seconds that a replica has to answer. Slower counts as failed."""


class Settings(Section):
    """All settings of the gateway."""

    host: Annotated[str, Field(min_length=1, max_length=253)] = "127.0.0.1"
    """Address to listen on. `0.0.0.0` opens the gateway to the network: put keys or a firewall before it."""

    port: Port = 8080
    """Port to listen on. 0 lets the system choose a free one."""

    workers: Annotated[int, Field(ge=1, le=256), _Number] = 1
    """Processes that serve."""

    log_level: LogLevel = "info"
    """Least severe message that is logged: `debug`, `info`, `warning` or `error`."""

    upstreams: tuple[Upstream, ...] = ()
    """The replicas. With none, `serve` starts the embedded engine, which invents its answers."""

    aliases: dict[Name, Name] = {}
    """Other names for models, `{name that clients use: name that replicas serve}`. An alias appears in `/v1/models`."""

    default_route: RouteName | None = None
    """Route of a request that names neither a model nor a route. Without it such a request goes to the only route
    there is, and is refused when there are several."""

    default_model: Name | None = None
    """Model of a request that names none."""

    allowed_models: tuple[Name, ...] = ()
    """Models that callers may use, as they name them. Others get 403 and are not listed. Empty: every model."""

    ambiguous_model: Literal["balance", "reject"] = "balance"
    """When several routes serve the model that a request names: `balance` uses all of them, `reject` answers 409
    with their names."""

    cors_origins: tuple[Annotated[str, AfterValidator(read_origin)], ...] = ()
    """Web pages that may call the gateway from a browser, by origin (`https://chat.example.org`); `*` for all. Empty:
    none."""

    auth: Auth = Auth()
    """Who may call the gateway."""

    limits: Limits = Limits()
    """What one caller, and one request, may cost."""

    cache: Cache = Cache()
    """Answers that are kept and given again."""

    session: Session = Session()
    """Conversations that the gateway keeps."""

    state: State = State()
    """Stores that several gateways share."""

    metrics: Metrics = Metrics()
    """The Prometheus page."""

    retry: Retry = Retry()
    """A second chance on another replica."""

    fallbacks: dict[Name, tuple[Name, ...]] = {}
    """Models to try, in order, after every replica of a model has failed: `{model: [other, ...]}`."""

    timeouts: Timeouts = Timeouts()
    """How long the gateway waits for a replica."""

    probe: Probe = Probe()
    """How the gateway watches its replicas."""

    drain_s: Annotated[float, Field(ge=0, le=3600), _Number] = 30.0
    """Seconds that running answers get to finish after SIGTERM. What still runs then ends with an error event."""

    sse_heartbeat_s: Annotated[float, Field(ge=0, le=3600), _Number] = 15.0
    """Seconds of silence after which a stream of the `/api` routes carries a comment, so that proxies keep it open.
    0: none."""
