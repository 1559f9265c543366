"""The bodies of the routes that only the gateway has: what is checked before anything reaches a replica.

Fields that are not named here are passed on as they are, because vLLM has many more parameters than these.
"""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from typing_extensions import TypedDict


def _no_bool(value: object) -> object:
    """Refuse `true` where a number is meant: Python would read it as 1."""
    if isinstance(value, bool):
        raise ValueError("must be a number, not true or false")  # noqa: TRY004 - pydantic reads ValueError only
    return value


_Number = BeforeValidator(_no_bool)
Role = Literal["system", "developer", "user", "assistant", "tool"]
Text = Annotated[str, Field(min_length=1)]
Parts = list[dict[str, Any]]
Name = Annotated[str, Field(min_length=1, max_length=256)]


_AS_SENT = ConfigDict(extra="allow", protected_namespaces=(), use_attribute_docstrings=True)


class _Body(BaseModel):
    model_config = _AS_SENT


class CalledBody(TypedDict):
    """The function that a tool call names."""

    __pydantic_config__ = _AS_SENT  # type: ignore[misc] # pydantic's way to configure it

    name: str
    arguments: str
    """JSON, in a text."""


class ToolCallBody(TypedDict):
    """One call of a tool, as an answer told it."""

    __pydantic_config__ = _AS_SENT  # type: ignore[misc] # pydantic's way to configure it

    function: CalledBody


class MessageBody(TypedDict):
    """One message of a conversation. No model, because only the check is wanted: that takes a fifth of the time."""

    __pydantic_config__ = _AS_SENT  # type: ignore[misc] # pydantic's way to configure it

    role: Role
    content: str | Parts | None
    """Text, or parts of it; may be missing beside `tool_calls`."""
    tool_calls: NotRequired[list[ToolCallBody] | None]


def _tool_calls_need_no_content(messages: object) -> object:
    if not isinstance(messages, list):
        return messages
    return [
        {**each, "content": None}
        if isinstance(each, dict) and "content" not in each and each.get("tool_calls")
        else each
        for each in messages
    ]


_AS_ASKED = BeforeValidator(_tool_calls_need_no_content)
"""Stands behind the bounds of a list, which hold then for the list itself: one that is too long is not looked through.
"""
Conversation = Annotated[list[MessageBody], Field(min_length=1, max_length=10_000), _AS_ASKED]


class ParametersBody(_Body):
    """Parameters that are checked before a replica gets them."""

    temperature: Annotated[float | None, Field(ge=0, le=2), _Number] = None
    top_p: Annotated[float | None, Field(ge=0, le=1), _Number] = None
    max_tokens: Annotated[int | None, Field(ge=1, le=1_000_000_000), _Number] = None
    max_completion_tokens: Annotated[int | None, Field(ge=1, le=1_000_000_000), _Number] = None
    stop: str | Annotated[list[str], Field(max_length=64)] | None = None


class SamplingBody(ParametersBody):
    """What all of these routes take."""

    model: Name | None = None
    """The model that shall answer; without it the gateway's default."""
    model_key: Annotated[Name | None, Field(alias="modelKey")] = None
    """Name of the route that shall answer."""
    stream: bool | None = None
    extra: ParametersBody | None = None
    """Any other parameter that vLLM takes."""


class MessagesBody(SamplingBody):
    """A conversation that the caller keeps itself."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"messages": [{"role": "user", "content": "Why is the sky blue?"}], "max_tokens": 64}]
        }
    )

    messages: Conversation


class OneMessageBody(SamplingBody):
    """A single question."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"message": "Why is the sky blue?", "system": "Answer in one sentence."}]}
    )

    message: Text
    system: str | None = None
    """What the model is told before the question."""


class TurnBody(SamplingBody):
    """What is said next in a session; the session's id is the only credential."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"session_id": "sess_0123456789abcdef0123456789abcdef", "message": "Hello", "extra": {"top_k": 20}}
            ]
        }
    )

    session_id: Annotated[str, Field(min_length=1, max_length=128)]
    message: Text


class SessionChatBody(SamplingBody):
    """What is said next in a session that the path names: one message, or several (the results of tools)."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"message": "Hello", "max_tokens": 64}]})

    message: Text | Annotated[Parts, Field(min_length=1)] | None = None
    messages: Annotated[list[MessageBody], Field(min_length=1, max_length=1000), _AS_ASKED] | None = None


class EmbeddingsBody(_Body):
    """Texts to be embedded."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"input": ["first text", "second text"]}]})

    input: str | Annotated[list[str], Field(min_length=1, max_length=100_000)]
    model: Name | None = None
    """The model that shall answer; without it any that embeds."""
    model_key: Annotated[Name | None, Field(alias="modelKey")] = None
    """Name of the route that shall answer."""
