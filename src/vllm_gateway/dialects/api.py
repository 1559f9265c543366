"""The routes below `/api`: a conversation or a single question, streamed or not, and embeddings."""

from typing import Any

from vllm_gateway.dialects.bodies import EmbeddingsBody, MessagesBody, OneMessageBody
from vllm_gateway.dialects.composing import chat, embeddings
from vllm_gateway.dialects.plain import missing, read_as
from vllm_gateway.exchange import Asked


def read_api_chat(fields: dict[str, Any]) -> Asked:
    """Read a body of `/api/chat`: a conversation streams unless it says otherwise, a single question does not.

    Raises:
        BodyInvalid: it is neither, or fields of it are wrong.
    """
    if fields.get("messages") is not None:
        return converse(fields, streams=True)
    if fields.get("message") is not None:
        return ask_once(fields, streams=False)
    raise missing("messages")


def read_api_chat_stream(fields: dict[str, Any]) -> Asked:
    """Read a body of `/api/chat/stream`, which always streams.

    Raises:
        BodyInvalid: it is neither a conversation nor a single question, or fields of it are wrong.
    """
    fields = {**fields, "stream": True}
    if fields.get("messages") is not None:
        return converse(fields, streams=True)
    if fields.get("message") is not None:
        return ask_once(fields, streams=True)
    raise missing("messages")


def read_api_embeddings(fields: dict[str, Any]) -> Asked:
    """Read a body of `/api/embeddings`.

    Raises:
        BodyInvalid: fields of it are wrong.
    """
    return embeddings(fields, read_as(EmbeddingsBody, fields))


def converse(fields: dict[str, Any], *, streams: bool) -> Asked:
    """Read a conversation; `streams` says what it does when it does not say itself."""
    body = read_as(MessagesBody, fields)
    return chat(fields, body, fields["messages"], stream=streams if body.stream is None else body.stream)


def ask_once(fields: dict[str, Any], *, streams: bool) -> Asked:
    """Read a single question; `streams` says what it does when it does not say itself."""
    body = read_as(OneMessageBody, fields)
    messages = [{"role": "system", "content": body.system}] if body.system else []
    messages.append({"role": "user", "content": body.message})
    return chat(fields, body, messages, stream=streams if body.stream is None else body.stream)
