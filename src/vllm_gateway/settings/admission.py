"""The settings of who may call, how much, what, and in which order."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr

from vllm_gateway.settings.client_key import read_admin_key, read_client_key
from vllm_gateway.settings.section import Count, FilePath, Name, NotBool, Port, Positive, Secret, Section


class Auth(Section):
    """Who may call the gateway."""

    mode: Literal["none", "keys", "upstream"] = "none"
    """`none`: everyone who reaches the port. `keys`: callers with one of `client_keys`. `upstream`: the replica checks
    the caller's key."""

    client_keys: tuple[Annotated[SecretStr, AfterValidator(read_client_key)], ...] = ()
    """Keys that clients may use, as they send them (`Authorization: Bearer`, `X-API-Key` or `api-key`): 8 to 512
    characters each. Each is a caller of its own: it sees its own conversations only. Needs `mode: keys`."""

    keys_file: FilePath | None = None
    """File with the client keys' digests, written by `vllm-gateway keys create`. Default: `vllm-gateway/keys.yaml` in
    the user's state directory (`$XDG_STATE_HOME`, otherwise `~/.local/state`), or, where `state.database_url` is set,
    that database."""

    explain_to: tuple[Name, ...] = ()
    """Who may ask how a replica was chosen (`?explain=1`): names of client keys, ids of callers (`key-...`), and
    `local` for programs on this machine where `mode` is `none`. Empty: nobody."""

    admin_key: Annotated[Secret, AfterValidator(read_admin_key)] = None
    """Key of the admin listener, 16 to 512 characters. Without it there is no admin listener."""


class Admin(Section):
    """The admin listener: replicas, keys, live requests, the settings. It needs `auth.admin_key`."""

    host: Literal["127.0.0.1", "::1", "localhost"] = "127.0.0.1"
    """Address that it listens on; the machine's own only."""

    port: Port = 8081
    """Port that it listens on. 0 lets the system choose a free one."""


class LimitSet(Section):
    """What may be used. 0 means no limit."""

    requests_per_minute: Count = 0
    """Requests per minute. 0: no limit."""

    requests_per_second: Count = 0
    """Requests per second. 0: no limit."""

    tokens_per_minute: Count = 0
    """Tokens, prompt and answer together, per minute. 0: no limit."""

    tokens_per_day: Count = 0
    """Tokens, prompt and answer together, per day (UTC). 0: no limit."""

    concurrent: Count = 0
    """Requests at the same time. 0: no limit."""


class Limits(LimitSet):
    """What one caller may use, and how large one request may be. 0 means no limit."""

    per: Literal["key", "ip"] = "key"
    """What makes a caller: the client key, or the client's address. Where no keys are asked for it is the address."""

    backend: Literal["memory", "redis"] = "memory"
    """Where it is counted. `memory`: each gateway process for itself. `redis`: all together, at `state.redis_url`."""

    models: dict[Name, LimitSet] = {}  # noqa: RUF012 - pydantic copies defaults
    """What all callers together may use of one model, `{model: {requests_per_minute: ..., ...}}`."""

    total: LimitSet = LimitSet()
    """What all callers together may use."""

    assumed_reply_tokens: Annotated[int, Field(ge=1, le=1_000_000), NotBool] = 1024
    """Tokens that are reserved for an answer whose request sets no limit to it. What was not used is given back."""

    bytes_per_token: Annotated[float, Field(ge=0.25, le=16), NotBool] = 3.0
    """Bytes of text that are reserved as one token of a prompt. Lower is safer, and lets fewer requests in at once."""

    max_tokens_cap: Count = 0
    """Highest `max_tokens` that a request may ask for; one that names none gets this. 0: no limit but the model's."""

    default_max_tokens: Count = 0
    """`max_tokens` of a request that names none. 0: vLLM's own, which is what fits the model's context."""

    max_body_bytes: Annotated[int, Field(ge=1024, le=1_073_741_824), NotBool] = 10_485_760
    """Largest request body in bytes. A larger one gets 413 and reaches no replica."""

    max_header_bytes: Annotated[int, Field(ge=1024, le=1_048_576), NotBool] = 65_536
    """Largest head of a request (request line and headers) in bytes. A larger one gets 431."""

    max_json_depth: Annotated[int, Field(ge=4, le=250), NotBool] = 64
    """Deepest nesting of a JSON body. A deeper one gets 400 and reaches no replica."""


class Rules(Section):
    """What may be asked. What breaks a rule gets 400 and reaches no replica."""

    max_choices: Positive = 16
    """Highest `n` and `best_of`."""

    max_prompts: Positive = 2048
    """Most prompts, inputs or documents in one request."""

    max_logprobs: Count = 20
    """Highest `logprobs`, `top_logprobs` and `prompt_logprobs`."""

    max_stops: Positive = 16
    """Most stop words, and most bad words."""

    max_stop_characters: Positive = 256
    """Longest stop word."""

    max_messages: Positive = 4096
    """Most messages of a conversation."""

    max_tools: Positive = 256
    """Most tools."""

    max_logit_bias: Positive = 1024
    """Most tokens in `logit_bias`, and in other lists of tokens."""

    max_pattern_characters: Positive = 4096
    """Longest regular expression or grammar that an answer is to follow."""

    max_schema_bytes: Positive = 262_144
    """Largest JSON schema, in bytes."""

    remote_media: bool = False
    """`true` lets requests name pictures, sounds and videos by `http(s)` address, which the replica then fetches from
    where it stands. `false`: only what is sent along (`data:`)."""

    allow_fields: tuple[Name, ...] = ()
    """Fields that are refused unless they are listed here, because they reach deep into the replica: `chat_template`,
    `mm_processor_kwargs`, `media_io_kwargs`, `prompt_embeds`, `logits_processors`, `use_beam_search`."""

    chat_template_kwargs: tuple[Name, ...] = ("enable_thinking", "thinking", "reasoning_effort")
    """Names that `chat_template_kwargs` may hold."""

    clamp_to_context: bool = False
    """`true` lowers a `max_tokens` that does not fit into the model's context behind the prompt; `false` leaves it to
    the replica, which refuses."""

    deny_words: tuple[Annotated[str, Field(min_length=1, max_length=256)], ...] = ()
    """Words and phrases that no request may contain; letters large or small, whole words only."""

    deny_patterns: tuple[Annotated[str, Field(min_length=1, max_length=1024)], ...] = ()
    """Regular expressions (RE2 syntax) that nothing in a request may match. Needs the extra `patterns`, as
    `deny_words` does."""

    deny_output: bool = False
    """`true` applies both to answers too. A streamed answer then lags behind by `deny_window` characters."""

    deny_window: Annotated[int, Field(ge=16, le=4096), NotBool] = 64
    """Longest match, in characters, that is surely found when it comes in pieces."""


class Queue(Section):
    """Where requests wait when every replica that could answer is full."""

    size: Count = 1000
    """Requests that may wait for one model. More get 503. 0: nobody waits."""

    wait_s: Annotated[float, Field(gt=0, le=3600), NotBool] = 60.0
    """Longest wait. Then the caller gets 503."""

    replica_waiting: Count = 0
    """A replica is full when so many requests wait inside it (`vllm:num_requests_waiting`), which comes before any
    limit of its own. 0: that is not looked at."""
