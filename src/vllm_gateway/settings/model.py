"""Every setting: what it does, its unit, its default, and what follows from it.

The docstring under each field is the documentation: `config schema`, `config init` and `docs/configuration.md` are
made from it. The defaults are the contract's. A value that this version cannot honour yet is refused by
`available.py`, never ignored.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from vllm_gateway.settings.admission import Admin, Auth, Limits, Queue, Rules
from vllm_gateway.settings.client_key import read_upstream_key
from vllm_gateway.settings.fleet import Balance, Discovery, Hedge, Probe, Resume, Retry, RouteSettings, Sleeping
from vllm_gateway.settings.origins import read_origin
from vllm_gateway.settings.section import (
    Count,
    FilePath,
    Lifetime,
    LogLevel,
    Name,
    NotBool,
    Port,
    Positive,
    RouteName,
    Seconds,
    Secret,
    Section,
)
from vllm_gateway.settings.store_urls import read_database_url, read_redis_url
from vllm_gateway.settings.upstream_url import read_upstream_url

MIN_CONTEXT_TOKENS = 64
"""In a smaller context no turn would ever fit."""


def _room_or_none(tokens: int) -> int:
    """Refuse a context in which no turn would ever fit."""
    if 0 < tokens < MIN_CONTEXT_TOKENS:
        raise ValueError(f"must be 0, or at least {MIN_CONTEXT_TOKENS}")
    return tokens


class Upstream(Section):
    """One replica: a vLLM server that the gateway sends requests to."""

    url: Annotated[str, AfterValidator(read_upstream_url)]
    """Address of the vLLM server, `http://host:port` with or without `/v1`. Required."""

    route: RouteName = "default"
    """Name of the route. Replicas of one route hold the same model and share its work; clients may pick a route by
    this name (`modelKey`)."""

    api_key: Annotated[Secret, AfterValidator(read_upstream_key)] = None
    """Key that the gateway sends to this replica (vLLM's `--api-key`). Without one no key is sent; the caller's own
    key never reaches a replica."""

    weight: Annotated[float, Field(gt=0, le=1000), NotBool] = 1.0
    """Share of the route's work: a replica of weight 2 gets twice as much as one of weight 1."""

    tokenizer_path: FilePath | None = None
    """Folder with the model's `tokenizer.json` and `tokenizer_config.json` (or `chat_template.jinja`). With it the
    gateway counts a conversation's tokens itself; without it the replica does (`/tokenize`). Needs the extra
    `tokenizer`."""

    max_concurrent: Count = 0
    """Requests that this gateway sends to the replica at the same time; more wait in the queue. 0: no limit."""

    priority_scheduling: bool = False
    """The replica was started with `--scheduling-policy priority`: the callers' priorities are passed on to it. Without
    that option vLLM refuses requests that have one."""

    resolve: bool = False
    """The name in `url` stands for several servers: each address that it resolves to is a replica of its own (a
    headless service). The name is looked up again and again."""

    wake_on_request: bool = False
    """The replica may sleep (vLLM's `--enable-sleep-mode`, with `VLLM_SERVER_DEV_MODE=1`): a request that finds it
    asleep wakes it and waits."""

    accelerator: RouteName | None = None
    """Name of the accelerator, where several replicas share one that holds a single one of them awake: before one is
    woken the others finish what they are answering and are put to sleep. Needs `wake_on_request` on each of them."""

    @property
    def root(self) -> str:
        """The address without `/v1` and without a trailing slash."""
        return self.url.removesuffix("/v1")


class Cache(Section):
    """Answers that are kept and given again for the same request."""

    backend: Literal["none", "memory", "redis"] = "none"
    """`none`: nothing is kept. `memory`: in each gateway process. `redis`: shared, at `state.redis_url`."""

    ttl_s: Seconds = 600.0
    """Seconds that an answer is kept."""

    any_temperature: bool = False
    """`true` also keeps answers that were drawn by chance (temperature above 0)."""

    max_bytes: Positive = 268_435_456
    """Bytes that the `memory` backend holds, all workers together; what was not asked for for the longest time is
    dropped first. Answers that are still under way hold as much again."""

    max_answer_bytes: Positive = 1_048_576
    """Answers larger than this are not kept."""

    bill_hits: bool = False
    """`true` counts the tokens of an answer that was kept against its caller's limits, as if it were new."""


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

    reply_tokens: Annotated[int, Field(ge=1, le=1_000_000), NotBool] = 512
    """Room that is kept for the answer of a turn that names no `max_tokens`; at most a quarter of the context."""

    turn_wait_s: Seconds = 60.0
    """Seconds that a turn waits for the one before it in the same conversation. Then its caller gets 409."""


class Usage(Section):
    """Who has used how much: one row for every request."""

    backend: Literal["none", "sqlite", "postgres"] = "none"
    """`none`: nothing is written down. `sqlite`: in a file on this machine. `postgres`: at `state.database_url`."""

    path: FilePath | None = None
    """File of the `sqlite` backend. Default: `vllm-gateway/usage.sqlite` in the user's state directory."""

    keep_days: Count = 400
    """Days after which rows are deleted. 0: never."""


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


class Timeouts(Section):
    """How long the gateway waits for a replica, and for its callers. 0 switches a time-out off."""

    connect_s: Seconds = 5.0
    """Seconds to connect to a replica. Then the next replica is tried, or the caller gets 502."""

    request_head_s: Seconds = 10.0
    """Seconds that a caller may take to send the head of a request. Then it gets 408."""

    request_body_s: Seconds = 30.0
    """Seconds that a caller may take to send the body of a request. Then it gets 408."""

    first_token_s: Seconds = 60.0
    """Seconds from a streaming request to the first byte of its answer. Then the caller gets 504."""

    write_s: Seconds = 0.0
    """Seconds that a replica may take to accept a request's bytes. Then the next replica is tried, or the caller gets
    504. 0: no limit but the others."""

    idle_s: Seconds = 30.0
    """Seconds of silence inside a streamed answer. Then the stream ends with an error event."""

    total_s: Seconds = 600.0
    """Seconds for a whole request. Then the caller gets 504, or an error event if the answer has begun."""


class Log(Section):
    """What is written to the standard error stream."""

    format: Literal["auto", "json", "console"] = "auto"
    """`json`: a line of JSON for each event. `console`: for people. `auto`: `console` at a terminal, else `json`."""

    requests: bool = True
    """One line for each request: who, what, which replica, how it ended, how long it took."""

    body_bytes: Count = 0
    """How much of a request's body its line shows. 0: nothing of what is said is ever logged."""


class Tracing(Section):
    """Traces, as OpenTelemetry has them; its own variables say where they go (`OTEL_EXPORTER_OTLP_ENDPOINT`)."""

    enabled: bool = False
    """`true` sends the spans of requests to a collector. Needs the extra `otel`."""

    to_replicas: bool = True
    """Tells replicas which trace a request belongs to (`traceparent`), so that theirs go on below it. A vLLM that does
    not trace logs one warning."""

    content_bytes: Count = 0
    """How much of a request's body its span shows. 0: nothing of what is said."""


class Edge(Section):
    """How callers are served."""

    express: bool = True
    """Requests that replicas answer go straight from the connection to the pipeline. `false` sends them through the
    ASGI application like all others: the same replies at a higher cost."""

    tls_certificate: FilePath | None = None
    """Certificate of the gateway (PEM, with those between it and the authority). With it callers use https, and only
    that; the admin listener, which is for this machine only, stays with http."""

    tls_key: FilePath | None = None
    """Private key of `edge.tls_certificate` (PEM, without a passphrase)."""

    @property
    def is_encrypted(self) -> bool:
        """Say whether callers use https."""
        return self.tls_certificate is not None


class Settings(Section):
    """All settings of the gateway."""

    host: Annotated[str, Field(min_length=1, max_length=253)] = "127.0.0.1"
    """Address to listen on. `0.0.0.0` opens the gateway to the network: put keys or a firewall before it."""

    port: Port = 8080
    """Port to listen on. 0 lets the system choose a free one."""

    workers: Annotated[int, Field(ge=1, le=256), NotBool] = 1
    """Processes that serve."""

    log_level: LogLevel = "info"
    """Least severe message that is logged: `debug`, `info`, `warning` or `error`."""

    log: Log = Log()
    """What is logged."""

    upstreams: tuple[Upstream, ...] = ()
    """The replicas. With none, `serve` starts the embedded engine, which invents its answers."""

    aliases: dict[Name, Name] = {}  # noqa: RUF012 - pydantic copies defaults
    """Other names for models, `{name that clients use: name that replicas serve}`. An alias appears in `/v1/models`."""

    default_route: RouteName | None = None
    """Route of a request that names neither a model nor a route. Without it such a request goes to the only route
    there is, and is refused when there are several."""

    default_model: Name | None = None
    """Model of a request that names none."""

    allowed_models: tuple[Name, ...] = ()
    """Models that callers may use, as they name them. Others get 403 and are not listed. Empty: every model."""

    ambiguous_model: Literal["balance", "reject"] = "balance"
    """When several routes serve the model that a request names: `balance` uses all of them, `reject` refuses
    the request and names them."""

    cors_origins: tuple[Annotated[str, AfterValidator(read_origin)], ...] = ()
    """Web pages that may call the gateway from a browser, by origin (`https://chat.example.org`); `*` for all. Empty:
    none."""

    auth: Auth = Auth()
    """Who may call the gateway."""

    admin: Admin = Admin()
    """The admin listener."""

    edge: Edge = Edge()
    """How callers are served."""

    limits: Limits = Limits()
    """What one caller may use, and how large one request may be."""

    rules: Rules = Rules()
    """What may be asked."""

    queue: Queue = Queue()
    """Where requests wait when every replica is full."""

    isolate_prefix_cache: bool = False
    """`true` keeps callers from finding out, by the time that an answer takes, what others have asked: each caller's
    prompts are cached apart in the replicas (`cache_salt`)."""

    tenant_secret: Secret = None
    """From this and the caller the `cache_salt` is made. Gateways that share replicas need the same one. Without it
    each process makes one up."""

    cache: Cache = Cache()
    """Answers that are kept and given again."""

    session: Session = Session()
    """Conversations that the gateway keeps."""

    usage: Usage = Usage()
    """Who has used how much."""

    state: State = State()
    """Stores that several gateways share."""

    metrics: Metrics = Metrics()
    """The Prometheus page."""

    tracing: Tracing = Tracing()
    """Traces."""

    balance: Balance = Balance()
    """Which replica answers."""

    routes: dict[RouteName, RouteSettings] = {}  # noqa: RUF012 - pydantic copies defaults
    """What is different for single routes: `{route: {...}}`."""

    retry: Retry = Retry()
    """A second chance on another replica."""

    hedge: Hedge = Hedge()
    """A second replica for answers that are late."""

    resume: Resume = Resume()
    """Streams that survive their replica."""

    fallbacks: dict[Name, tuple[Name, ...]] = {}  # noqa: RUF012 - pydantic copies defaults
    """Models to try, in order, after every replica of a model has failed: `{model: [other, ...]}`. The answer names the
    model that gave it."""

    context_fallbacks: dict[Name, tuple[Name, ...]] = {}  # noqa: RUF012 - pydantic copies defaults
    """Models with a larger context to try, in order, when a prompt is too long: `{model: [larger, ...]}`."""

    discovery: Discovery = Discovery()
    """Replicas that come and go."""

    timeouts: Timeouts = Timeouts()
    """How long the gateway waits for a replica."""

    probe: Probe = Probe()
    """How the gateway watches its replicas."""

    sleeping: Sleeping = Sleeping()
    """Replicas that take turns on one accelerator."""

    drain_delay_s: Annotated[float, Field(ge=0, le=3600), NotBool] = 0.0
    """Seconds after SIGTERM in which everything is still answered, while `/readyz` says 503 already and answers close
    their connections. Set it to the time that a load balancer needs to notice; `drain_s` begins behind it."""

    drain_s: Annotated[float, Field(ge=0, le=3600), NotBool] = 30.0
    """Seconds that running answers get to finish after SIGTERM. What still runs then ends with an error event."""

    sse_heartbeat_s: Annotated[float, Field(ge=0, le=3600), NotBool] = 15.0
    """Seconds of silence after which a stream of the `/api` routes carries a comment, so that proxies keep it open.
    0: none."""
