"""Turns of conversations that the gateway keeps: how they are asked for, and how their answers look."""

import math
from typing import Any

from vllm_gateway import codec
from vllm_gateway.dialects.bodies import SessionChatBody, TurnBody
from vllm_gateway.dialects.composing import said
from vllm_gateway.dialects.openai import usage_of
from vllm_gateway.dialects.plain import missing, read_as
from vllm_gateway.exchange import Asked, Saying, SessionNow


def read_turn(fields: dict[str, Any]) -> Asked:
    """Read a turn that names its session in the body.

    Raises:
        BodyInvalid: fields of it are wrong.
    """
    body = read_as(TurnBody, fields)
    messages = [{"role": "user", "content": body.message}]
    saying = Saying(messages, short_reply, session_id=body.session_id)
    return said(fields, body, saying, stream=bool(body.stream))


def read_session_chat(fields: dict[str, Any]) -> Asked:
    """Read a turn of the session that the path names.

    Raises:
        BodyInvalid: fields of it are wrong.
    """
    body = read_as(SessionChatBody, fields)
    if (body.message is None) == (body.messages is None):
        raise missing("message")
    messages = fields["messages"] if body.message is None else [{"role": "user", "content": body.message}]
    return said(fields, body, Saying(messages, full_reply), stream=bool(body.stream))


def short_reply(completion: dict[str, Any], session: SessionNow) -> bytes:
    """Return the answer of `/chat` for a turn."""
    choice = completion["choices"][0]
    usage = usage_of(completion.get("usage"))
    counts = (usage.prompt_tokens, usage.completion_tokens) if usage else (0, 0)
    return codec.dumps(
        {
            "reply": choice["message"].get("content") or "",
            "finish_reason": choice.get("finish_reason"),
            "total_tokens": sum(counts),
            "input_tokens": counts[0],
            "output_tokens": counts[1],
            "session_id": session.id,
            "expires_in": whole_seconds(session.expires_in),
        }
    )


def full_reply(completion: dict[str, Any], session: SessionNow) -> bytes:
    """Return the replica's chat completion with the state of the session beside it."""
    return codec.dumps(
        {
            **completion,
            "session": {
                "id": session.id,
                "turns": session.turns,
                "expires_in": whole_seconds(session.expires_in),
                "messages_in_context": session.messages_in_context,
            },
        }
    )


def whole_seconds(seconds: float | None) -> int | None:
    """Return the seconds as people read them."""
    return None if seconds is None else math.ceil(seconds)
