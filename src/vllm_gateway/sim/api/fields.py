"""The fields of generation requests, with the types that vLLM gives them."""

from typing import Annotated, Any, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from vllm_gateway import codec
from vllm_gateway.sim.api import problems
from vllm_gateway.sim.api.problems import Problem, invalid
from vllm_gateway.sim.engine import tokens

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

    @field_validator("logprobs", "top_logprobs", "prompt_logprobs", mode="before", check_fields=False)
    @classmethod
    def _is_number(cls, value: object, info: ValidationInfo) -> object:
        if value is not None and not isinstance(value, int | float):
            name = str(info.field_name)
            raise invalid(f"`{name}` must be an integer.", name, value)
        return value

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
        return kind.model_validate(value, from_attributes=True)
    except ValidationError as error:
        raise problems.mismatched(error) from error


def check_stream_options(fields: GenerationFields) -> None:
    """Refuse stream options where nothing is streamed."""
    if fields.stream_options is not None and fields.stream_options.model_fields_set and not fields.stream:
        raise invalid("Stream options can only be defined when `stream=True`.", "stream_options")


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
