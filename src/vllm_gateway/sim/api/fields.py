"""The fields of generation requests: their types as vLLM checks them, and what the engine makes of them."""

import zlib
from typing import Annotated, Any, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vllm_gateway import codec
from vllm_gateway.sim.api import problems
from vllm_gateway.sim.api.problems import Problem, invalid
from vllm_gateway.sim.engine import tokens
from vllm_gateway.sim.engine.generation import Wish
from vllm_gateway.sim.engine.model import Sampling

_MOST_LOGPROBS = 20
_MOST_CHOICES = 16_384
_MOST_TEMPERATURE = 2
_MOST_PENALTY = 2
_LONGEST_SALT = 128
_CERTAIN = 50
"""A bias beyond any difference between logits: the token comes for certain, or never."""
_INT64 = 2**63

TokenId = Annotated[int, Field(ge=0)]
Prompts = list[TokenId] | list[list[TokenId]] | str | list[str]
"""One prompt as text or as ids, or several."""

Body = TypeVar("Body", bound=BaseModel)


class StreamOptions(BaseModel):
    """What a stream tells besides its text."""

    include_usage: bool | None = False
    continuous_usage_stats: bool | None = False


class GenerationFields(BaseModel):
    """The fields that chat and completions have in common; unknown ones are ignored, as vLLM does."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    model: str | None = None
    frequency_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    max_tokens: int | None = None
    n: int | None = 1
    presence_penalty: float | None = None
    response_format: dict[str, Any] | None = None
    seed: Annotated[int, Field(ge=-_INT64, le=_INT64 - 1)] | None = None
    stop: str | Annotated[list[str], Field(max_length=4)] | None = None
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    stop_token_ids: list[int] | None = None
    include_stop_str_in_output: bool = False
    ignore_eos: bool = False
    min_tokens: int = 0
    skip_special_tokens: bool = True
    allowed_token_ids: list[int] | None = None
    structured_outputs: dict[str, Any] | None = None
    echo: bool = False
    add_special_tokens: bool = True
    request_id: str | None = None
    return_token_ids: bool | None = None
    return_tokens_as_token_ids: bool | None = None
    prompt_logprobs: int | None = None
    user: str | None = None
    cache_salt: str | None = None
    kv_transfer_params: dict[str, Any] | None = None

    @property
    def choices(self) -> int:
        """How many answers are wanted of each prompt."""
        return 1 if self.n is None else self.n

    @property
    def wants_usage(self) -> bool:
        """Whether a stream ends with the usage."""
        return bool(self.stream_options and self.stream_options.include_usage)

    @property
    def wants_usage_always(self) -> bool:
        """Whether every event of a stream tells the usage so far."""
        return self.wants_usage and bool(self.stream_options and self.stream_options.continuous_usage_stats)


def read(kind: type[Body], body: bytes) -> Body:
    """Return the fields of a request body, or raise the `Problem` that vLLM would have with it."""
    if not body:
        raise problems.missing_body()
    try:
        value = codec.loads(body)
    except codec.MalformedJson as error:
        raise problems.malformed(error) from error
    return check(kind, value)


def check(kind: type[Body], value: object) -> Body:
    """Return the fields of a JSON value that was read before."""
    try:
        return kind.model_validate(value, from_attributes=not isinstance(value, dict))
    except ValidationError as error:
        raise problems.mismatched(error) from error


def check_stream_options(fields: GenerationFields) -> None:
    """Refuse stream options where nothing is streamed."""
    if fields.stream_options is not None and fields.stream_options.model_fields_set and not fields.stream:
        raise invalid("Stream options can only be defined when `stream=True`.", "stream_options")


def check_prompt_logprobs(fields: GenerationFields) -> None:
    """Refuse log probabilities of the prompt where they cannot be told."""
    count = fields.prompt_logprobs
    if count is not None and count > 0 and fields.stream:
        raise invalid("`prompt_logprobs` are not available when `stream=True`.", "prompt_logprobs")
    if count is not None and not 0 <= count <= _MOST_LOGPROBS:
        raise invalid("`prompt_logprobs` must be a positive value or -1.", "prompt_logprobs", count)


def wishes(fields: GenerationFields, *, max_tokens: int, logprobs: int | None) -> list[Wish]:
    """Return what the engine is asked for, once for each choice; raise the `Problem` of a value out of range."""
    _check_ranges(fields, max_tokens)
    if logprobs is not None and not 0 <= logprobs <= _MOST_LOGPROBS:
        wanted = tokens.SIZE if logprobs < 0 else logprobs
        message = f"Requested sample logprobs of {wanted}, which is greater than max allowed: {_MOST_LOGPROBS}"
        raise invalid(message, "logprobs", wanted)
    return [_wish(fields, max_tokens, logprobs, choice) for choice in range(fields.choices)]


def _wish(fields: GenerationFields, max_tokens: int, logprobs: int | None, choice: int) -> Wish:
    bias = _bias(fields.logit_bias or {})
    wanted = [token for token, value in bias.items() if value >= _CERTAIN]
    return Wish(
        max_tokens=max_tokens,
        min_tokens=fields.min_tokens,
        stop=_stops(fields),
        stop_token_ids=frozenset(fields.stop_token_ids or ()),
        ignore_eos=fields.ignore_eos,
        include_stop=fields.include_stop_str_in_output,
        skip_special=fields.skip_special_tokens,
        sampling=Sampling(
            1.0 if fields.temperature is None else fields.temperature,
            top_p=1.0 if fields.top_p is None else fields.top_p,
            top_k=fields.top_k or 0,
            seed=fields.seed or 0,
            choice=choice,
        ),
        logprobs=logprobs,
        salt=zlib.crc32(fields.cache_salt.encode()) if fields.cache_salt else 0,
        banned=frozenset(token for token, value in bias.items() if value <= -_CERTAIN),
        allowed=tuple(wanted or fields.allowed_token_ids or ()),
        in_one_piece=not fields.stream,
    )


def _stops(fields: GenerationFields) -> tuple[str, ...]:
    return (fields.stop,) if isinstance(fields.stop, str) else tuple(fields.stop or ())


def _bias(given: dict[str, float]) -> dict[int, float]:
    """Return biases by token id, which JSON can only have as text."""
    words = [token for token in given if not token.removeprefix("-").isdecimal()]
    if words:
        message = f"logit_bias contains key(s) that cannot be converted to integer token IDs: {words}"
        raise invalid(message, "logit_bias", words)
    bias = {int(token): value for token, value in given.items()}
    if strangers := [token for token in bias if not 0 <= token < tokens.SIZE]:
        size = tokens.SIZE
        message = f"token_id(s) {strangers} in logit_bias contain out-of-vocab token ids. Vocabulary size: {size}"
        raise invalid(message, "logit_bias", strangers)
    return bias


def _check_ranges(fields: GenerationFields, max_tokens: int) -> None:
    temperature = 1.0 if fields.temperature is None else fields.temperature
    _check_sampling(fields, temperature)
    if max_tokens < 1:
        raise invalid(f"max_tokens must be at least 1, got {max_tokens}.", "max_tokens", max_tokens)
    if fields.min_tokens < 0:
        raise Problem(f"min_tokens must be greater than or equal to 0, got {fields.min_tokens}.")
    if fields.min_tokens > max_tokens:
        raise Problem(f"min_tokens must be less than or equal to max_tokens={max_tokens}, got {fields.min_tokens}.")
    if fields.choices < 1:
        raise Problem(f"n must be at least 1, got {fields.choices}.")
    if fields.choices > _MOST_CHOICES:
        raise Problem(f"n must be at most {_MOST_CHOICES}, got {fields.choices}.")
    if not temperature and fields.choices > 1:
        raise Problem(f"n must be 1 when using greedy sampling, got {fields.choices}.")
    if fields.stop is not None and "" in _stops(fields):
        raise Problem("stop cannot contain an empty string.")
    if fields.response_format not in (None, {"type": "text"}) or fields.structured_outputs:
        raise problems.not_supported("The sim has no model whose output could be constrained.")
    _check_salt(fields.cache_salt)
    allowed = fields.allowed_token_ids
    if allowed == []:
        raise invalid("allowed_token_ids is not None and empty!", "allowed_token_ids", allowed)
    if any(not 0 <= token < tokens.SIZE for token in allowed or ()):
        raise invalid("allowed_token_ids contains out-of-vocab token id!", "allowed_token_ids", allowed)


def _check_sampling(fields: GenerationFields, temperature: float) -> None:
    if temperature < 0:
        raise invalid(f"temperature must be non-negative, got {temperature}.", "temperature", temperature)
    if temperature > _MOST_TEMPERATURE:
        raise invalid(f"temperature must be in [0, 2], got {temperature}.", "temperature", temperature)
    if fields.top_p is not None and not 0 < fields.top_p <= 1:
        raise invalid(f"top_p must be in (0, 1], got {fields.top_p}.", "top_p", fields.top_p)
    if fields.top_k is not None and fields.top_k < -1:
        raise Problem(f"top_k must be 0 (disable), or at least 1, got {fields.top_k}.")
    if fields.min_p is not None and not 0 <= fields.min_p <= 1:
        raise Problem(f"min_p must be in [0, 1], got {fields.min_p}.")
    if fields.repetition_penalty is not None and fields.repetition_penalty <= 0:
        raise Problem(f"repetition_penalty must be greater than zero, got {fields.repetition_penalty}.")
    for name in ("presence_penalty", "frequency_penalty"):
        penalty = getattr(fields, name)
        if penalty is not None and abs(penalty) > _MOST_PENALTY:
            raise Problem(f"{name} must be in [-2, 2], got {penalty}.")


def _check_salt(salt: str | None) -> None:
    if salt == "":
        raise invalid("Parameter 'cache_salt' must be a non-empty string if provided.", "cache_salt")
    if salt is not None and (len(salt) > _LONGEST_SALT or any(sign in salt for sign in "@/\\\0")):
        message = "Parameter 'cache_salt' must be at most 128 characters and must not contain '@', '/', '\\\\', or NUL."
        raise invalid(message, "cache_salt")


def room_for_answer(
    wanted: int | None, prompt: int, context: int, name: str = "max_tokens", *, is_counted: bool = False
) -> int:
    """Return how many tokens the answer may have; raise the `Problem` of a prompt or a wish beyond the context.

    A prompt that came as text is counted to one token after the limit, where vLLM's tokenizer stops.
    """
    if wanted is not None and wanted > context:
        message = f"{name}={wanted} cannot be greater than max_model_len={context}. Please request fewer output tokens."
        raise invalid(message, name, wanted)
    if prompt > context:
        count = prompt if is_counted else context + 1
        raise invalid(
            f"This model's maximum context length is {context} tokens. However, your prompt contains "
            f"{'' if is_counted else 'at least '}{count} input tokens, which exceeds this limit even without any output "
            "tokens. Please reduce the length of the input prompt.",
            "input_tokens",
            count,
        )
    return context - prompt if wanted is None else min(wanted, context - prompt)


def token_ids(given: Prompts) -> list[list[int]]:
    """Return the ids of one or more prompts, whichever way they were given."""
    if not given:
        raise Problem("You must pass at least one prompt")
    if isinstance(given, str):
        return [tokens.encode(given)]
    if all(isinstance(part, int) for part in given):
        prompts = [cast("list[int]", given)]
    else:
        parts = cast("list[str | list[int]]", given)
        prompts = [tokens.encode(part) if isinstance(part, str) else part for part in parts]
    for ids in prompts:
        if not ids:
            raise Problem("The decoder prompt cannot be empty")
        if stranger := first_stranger(ids):
            raise Problem(f"Token id {stranger} is out of vocabulary")
    return prompts


def first_stranger(ids: list[int]) -> int | None:
    """Return the first id that is not in the vocabulary."""
    return next((token for token in ids if token >= tokens.SIZE), None)
