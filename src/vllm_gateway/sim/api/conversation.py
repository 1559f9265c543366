"""From a conversation to the ids of its prompt."""

from collections.abc import Sequence
from typing import Any

from vllm_gateway.sim.api.problems import Problem, wrong_type
from vllm_gateway.sim.engine import tokens

_CONFLICT = (
    "continue_final_message and add_generation_prompt are not compatible. Use continue_final_message when you want "
    "the model to continue the final message, and add_generation_prompt when you want to add a header that will prompt "
    "it to start a new assistant message instead."
)


def render(
    messages: Sequence[dict[str, Any]], *, open_reply: bool | None = None, continue_last: bool = False
) -> list[int]:
    """Return the prompt of `messages`, with the reply opened unless told otherwise, or the last message left open."""
    if continue_last and open_reply:
        raise Problem("Cannot set both `continue_final_message` and `add_generation_prompt` to True.")
    if not messages:
        raise Problem("Cannot apply chat template to an empty conversation. Provide at least one message.")
    if continue_last and open_reply is None:
        raise Problem(_CONFLICT)
    turns = [_turn(at, message) for at, message in enumerate(messages)]
    return tokens.render_chat(turns, open_reply=open_reply is not False, continue_last=continue_last)


def shown(prompt: Sequence[int]) -> str:
    """Return a prompt as text, its special tokens by name."""
    return tokens.decode(prompt, skip_special=False)


def _turn(at: int, message: dict[str, Any]) -> tuple[str, str]:
    """Return role and text of a message."""
    role, content = message.get("role"), message.get("content")
    if not isinstance(role, str):
        raise wrong_type(("messages", at, "role"), "Input should be a valid string", role)
    if content is None and "content" in message and role != "assistant":
        raise wrong_type(("messages", at, "content"), "Input should be a valid string", content)
    return role, text_of(content, ("messages", at, "content"))


def text_of(content: object, place: tuple[str | int, ...] = ("content",)) -> str:
    """Return the text of a message, which is a string or a list of parts."""
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        raise wrong_type(place, "Input should be a valid string or a list of parts", content)
    return "\n".join(_text_of_part(part, (*place, at)) for at, part in enumerate(content))


def _text_of_part(part: object, place: tuple[str | int, ...]) -> str:
    if not isinstance(part, dict):
        raise wrong_type(place, "Input should be a valid dictionary", part)
    if not str(part.get("type", "text")).endswith("text"):
        raise Problem("The sim's model is not a multimodal model")
    text = part.get("text")
    if not isinstance(text, str):
        raise wrong_type((*place, "text"), "Field required", part)
    return text
