"""What an answer in one piece says, held against the deny-list."""

from typing import Any

from vllm_gateway import codec
from vllm_gateway.admission.screen.patterns import DenyList
from vllm_gateway.admission.screen.texts import texts
from vllm_gateway.errors import ContentRefused, ReplicaFailed

REFUSED = "The answer contained something that the rules of this gateway do not allow."

_SAID = ("output", "content")
"""Where the Responses API and Anthropic's put what the model says."""
_SAID_IN_CHOICE = ("message", "text")


def check_answer(body: bytes, deny: DenyList) -> None:
    """Refuse an answer that says something denied: text, thoughts, and what tools are called with.

    Raises:
        ContentRefused: it does; the sentence does not repeat it.
        ReplicaFailed: it is not JSON.
    """
    try:
        answer = codec.loads(body)
    except codec.MalformedJson:
        raise ReplicaFailed("The model server sent an answer that makes no sense.") from None
    if isinstance(answer, dict) and any(deny.find(text) for text in texts(_said(answer))):
        raise ContentRefused(REFUSED)


def _said(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the parts of an answer that a model wrote."""
    choices = answer.get("choices")
    written = [
        {name: choice.get(name) for name in _SAID_IN_CHOICE}
        for choice in (choices if isinstance(choices, list) else [])
        if isinstance(choice, dict)
    ]
    return {"choices": written, **{name: answer.get(name) for name in _SAID}}
