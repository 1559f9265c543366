"""What the engine is asked for: the fields of a request with their ranges checked and their defaults filled in."""

import zlib

from vllm_gateway.sim.api import problems
from vllm_gateway.sim.api.fields import GenerationFields
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


def check_prompt_logprobs(fields: GenerationFields) -> None:
    """Refuse log probabilities of the prompt where they cannot be told."""
    count = fields.prompt_logprobs
    if count is not None and count > 0 and fields.stream:
        raise invalid("`prompt_logprobs` are not available when `stream=True`.", "prompt_logprobs")
    if count is not None and count < -1:
        raise invalid("`prompt_logprobs` must be a positive value or -1.", "prompt_logprobs", count)
    _check_count(count, "prompt")


def wishes(fields: GenerationFields, *, max_tokens: int, logprobs: int | None) -> list[Wish]:
    """Return what the engine is asked for, once for each choice; raise the `Problem` of a value out of range."""
    _check_ranges(fields, max_tokens)
    _check_count(logprobs, "sample")
    return [_wish(fields, max_tokens, logprobs, choice) for choice in range(fields.choices)]


def _check_count(logprobs: int | None, kind: str) -> None:
    """Refuse more log probabilities than vLLM tells; -1 stands for those of the whole vocabulary."""
    wanted = tokens.SIZE if logprobs == -1 else logprobs or 0
    if wanted > _MOST_LOGPROBS:
        message = f"Requested {kind} logprobs of {wanted}, which is greater than max allowed: {_MOST_LOGPROBS}"
        raise invalid(message, "prompt_logprobs" if kind == "prompt" else "logprobs", wanted)


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
    _check_output(fields)
    _check_salt(fields.cache_salt)


def _check_output(fields: GenerationFields) -> None:
    if "" in _stops(fields):
        raise Problem("stop cannot contain an empty string.")
    if fields.response_format not in (None, {"type": "text"}) or fields.structured_outputs:
        raise problems.not_supported("The sim has no model whose output could be constrained.")
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
            f"{'' if is_counted else 'at least '}{count} input tokens, which exceeds this limit even without any "
            "output tokens. Please reduce the length of the input prompt.",
            "input_tokens",
            count,
        )
    return context - prompt if wanted is None else min(wanted, context - prompt)
