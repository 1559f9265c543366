"""What attributes of spans are called: OpenTelemetry's names for HTTP and for generative models, and our own.

Those for generative models are still in development there, so they may change; this is the one place that has them.
"""

METHOD = "http.request.method"
ROUTE = "http.route"
PATH = "url.path"
SCHEME = "url.scheme"
STATUS = "http.response.status_code"
RESENT = "http.request.resend_count"
ERROR = "error.type"

OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
REQUEST_MODEL = "gen_ai.request.model"
RESPONSE_MODEL = "gen_ai.response.model"
STREAM = "gen_ai.request.stream"
FIRST_CHUNK_S = "gen_ai.response.time_to_first_chunk"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
CACHED_TOKENS = "gen_ai.usage.cache_read.input_tokens"
CONTENT = "gen_ai.input.messages"

REQUEST_ID = "gateway.request_id"
OUTCOME = "gateway.outcome"
CALLER = "gateway.caller"
REPLICA = "gateway.replica"
ATTEMPTS = "gateway.attempts"
RESUMED = "gateway.resumed"
CACHE = "gateway.cache"
AUTH_S = "gateway.auth_s"
QUEUE_S = "gateway.queue_s"
CONNECT_S = "gateway.connect_s"

WISHES: dict[str, tuple[str, type]] = {
    "max_tokens": ("gen_ai.request.max_tokens", int),
    "max_completion_tokens": ("gen_ai.request.max_tokens", int),
    "max_output_tokens": ("gen_ai.request.max_tokens", int),
    "temperature": ("gen_ai.request.temperature", float),
    "top_p": ("gen_ai.request.top_p", float),
    "top_k": ("gen_ai.request.top_k", int),
    "seed": ("gen_ai.request.seed", int),
    "n": ("gen_ai.request.choice.count", int),
    "frequency_penalty": ("gen_ai.request.frequency_penalty", float),
    "presence_penalty": ("gen_ai.request.presence_penalty", float),
}
"""Fields of a body that say how an answer is to be made, and nothing of what is said."""

OPERATIONS = {
    "/v1/chat/completions": "chat",
    "/v1/responses": "chat",
    "/v1/messages": "chat",
    "/v1/completions": "text_completion",
    "/v1/embeddings": "embeddings",
}
"""What replicas' routes do, in OpenTelemetry's words; for others there is none, and the end of the path has to do."""


def operation_of(path: str) -> str:
    """Return what a replica does at `path`."""
    return OPERATIONS.get(path) or path.rpartition("/")[2]
