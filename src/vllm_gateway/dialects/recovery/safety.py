"""Which answers may go on from another replica, and in which way.

Two ways lead on. By token ids: another replica is given the prompt and the tokens so far, and writes what follows. That
is right for sampled answers too, but only where nothing but the tokens decides what follows. By replay: the same
request runs again, and what was told is heard again before anything new is let through. That is right for all that is
asked, but only where the same request has the same answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vllm_gateway.dialects.sse import MAX_EVENT_BYTES
from vllm_gateway.exchange import Asked
from vllm_gateway.settings.fleet import Resume


@dataclass(frozen=True, slots=True)
class Ways:
    """How a stream may go on."""

    by_ids: bool
    by_replay: bool
    reason: str = ""
    """Why not by ids, in a word for the log; empty when it may."""


_SHARED = frozenset(
    {
        "model",
        "modelKey",
        "stream",
        "stream_options",
        "max_tokens",
        "temperature",
        "top_p",
        "top_k",
        "min_p",
        "repetition_penalty",
        "logit_bias",
        "allowed_token_ids",
        "stop",
        "stop_token_ids",
        "include_stop_str_in_output",
        "ignore_eos",
        "min_tokens",
        "skip_special_tokens",
        "spaces_between_special_tokens",
        "add_special_tokens",
        "truncate_prompt_tokens",
        "return_token_ids",
        "cache_salt",
        "priority",
        "request_id",
        "session_id",
        "user",
        "metadata",
        "service_tier",
        "safety_identifier",
        "prompt_cache_key",
        "seed",
    }
)
"""What decides nothing behind the prompt, or decides each token by those before it alone, or is looked at by itself."""
_CHAT = _SHARED | {
    "messages",
    "max_completion_tokens",
    "add_generation_prompt",
    "continue_final_message",
    "chat_template",
    "chat_template_kwargs",
    "documents",
    "reasoning_effort",
    "include_reasoning",
    "parallel_tool_calls",
    "verbosity",
}
_KNOWN = {"/v1/chat/completions": _CHAT, "/v1/completions": _SHARED | {"prompt"}}

_BYTES_AN_ID = 8
"""The first event names the prompt's ids, and a token may be a single byte of the body: a longer one might not pass."""

_UNSAID: dict[str, tuple[Any, ...]] = {
    "n": (1,),
    "best_of": (1,),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "length_penalty": (1,),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "echo": (False,),
    "use_beam_search": (False,),
    "store": (False,),
    "bad_words": ([],),
    "tools": ([],),
    "tool_choice": ("none",),
    "return_tokens_as_token_ids": (False,),
    "response_format": ({"type": "text"},),
    "suffix": ("",),
}
"""Members that say nothing with these values, and with others make what follows depend on more than the tokens."""


def ways_of(asked: Asked, resume: Resume) -> Ways:
    """Return how the stream that is asked for may go on elsewhere."""
    if not resume.enabled:
        return Ways(by_ids=False, by_replay=False, reason="off")
    fields = asked.fields
    reason = _obstacle(asked) or ("" if resume.seeded or not _is_seeded(fields) else "seed")
    return Ways(by_ids=not reason, by_replay=_is_repeatable(fields), reason=reason)


def _obstacle(asked: Asked) -> str:
    """Return what stands against going on by token ids: the name of a member; empty when nothing does."""
    fields, known = asked.fields, _KNOWN.get(asked.path)
    if known is None:
        return "route"
    for name, value in fields.items():
        if name in known or value is None or _says_nothing(name, value):
            continue
        if name != "tools" or fields.get("tool_choice") != "none":
            return name
    return _obstacle_to_stopping(fields) or _obstacle_in_prompt(asked)


def _obstacle_to_stopping(fields: Mapping[str, Any]) -> str:
    """Return what, together with stop strings, makes it unclear where the answer ends."""
    if not fields.get("stop"):
        return ""
    if fields.get("min_tokens"):
        return "min_tokens"
    if fields.get("include_stop_str_in_output"):
        return ""
    # the next replica is asked to show what stops it, and shows the token as well as the string
    if fields.get("stop_token_ids"):
        return "stop_token_ids"
    return "skip_special_tokens" if fields.get("skip_special_tokens") is False else ""


def _obstacle_in_prompt(asked: Asked) -> str:
    if len(asked.body) > MAX_EVENT_BYTES // _BYTES_AN_ID:
        return "size"
    if not _is_text(asked.fields.get("messages")):
        return "messages"
    return "prompt" if _are_several(asked.fields.get("prompt")) else ""


def _says_nothing(name: str, value: object) -> bool:
    """Say whether a member has a value with which it might as well be left out; in Python 0 equals False."""
    return any(value == each and isinstance(value, bool) == isinstance(each, bool) for each in _UNSAID.get(name, ()))


def _is_seeded(fields: Mapping[str, Any]) -> bool:
    """Say whether the draws follow a seed, which would begin anew."""
    return fields.get("seed") is not None and fields.get("temperature") != 0


def _is_repeatable(fields: Mapping[str, Any]) -> bool:
    """Say whether the same request has the same answer on every replica."""
    is_determined = fields.get("temperature") == 0 or fields.get("seed") is not None
    return is_determined and not fields.get("use_beam_search") and fields.get("modalities") in (None, ["text"])


def _is_text(messages: object) -> bool:
    """Say whether a conversation is nothing but text; what is no conversation at all is the replica's to judge."""
    if not isinstance(messages, list):
        return True
    contents = [message.get("content") for message in messages if isinstance(message, dict)]
    parts = [part for content in contents if isinstance(content, list) for part in content]
    return all(isinstance(part, str) or (isinstance(part, dict) and _is_text_part(part)) for part in parts)


def _is_text_part(part: dict[str, Any]) -> bool:
    return part.get("type") in ("text", "input_text", "output_text", "refusal", "thinking")


def _are_several(prompt: object) -> bool:
    return isinstance(prompt, list) and bool(prompt) and not isinstance(prompt[0], int)
