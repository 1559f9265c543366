"""`POST /v1/messages` and `/v1/messages/count_tokens`: Anthropic's shapes around the same generation as chat."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, field_validator
from typing_extensions import override

from vllm_gateway import codec
from vllm_gateway.sim.api import chat, conversation, fields
from vllm_gateway.sim.api.answering import Json
from vllm_gateway.sim.api.chat import ChatAnswer, ChatFields
from vllm_gateway.sim.api.problems import Problem
from vllm_gateway.sim.call import Call
from vllm_gateway.sim.engine.generation import Generation
from vllm_gateway.sim.replica import Replica

_TOOL_CHOICES = {"auto": "auto", "any": "required", "tool": "required", "none": "none"}
_STOP_REASONS = {"stop": "end_turn", "length": "max_tokens"}


class Message(BaseModel):
    """One turn."""

    role: Literal["user", "assistant", "system"]
    content: str | list[dict[str, Any]]


class CountFields(BaseModel):
    """What a count of tokens needs to know."""

    model: str
    messages: list[Message]
    system: str | list[dict[str, Any]] | None = None
    tools: list[Any] | None = None


class MessagesFields(CountFields):
    """The body of a messages request."""

    max_tokens: int
    stop_sequences: Annotated[list[str], Field(max_length=4)] | None = None
    stream: bool | None = False
    tool_choice: dict[str, Any] | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    cache_salt: str | None = None
    kv_transfer_params: dict[str, Any] | None = None

    @field_validator("model")
    @classmethod
    def _is_named(cls, value: str) -> str:
        if not value:
            raise ValueError("Model is required")
        return value

    @field_validator("max_tokens")
    @classmethod
    def _is_positive(cls, value: int) -> int:
        if value <= 0:
            raise ValueError("max_tokens must be positive")
        return value


def answer(replica: Replica, call: Call) -> None:
    """Answer a messages request."""
    body = fields.read(MessagesFields, call.seen.body)
    try:
        chat.start(replica, call, _as_chat(body), MessagesStream if body.stream else MessagesReply)
    except Problem as problem:
        raise problem.for_anthropic() from None


def count(replica: Replica, call: Call) -> None:
    """Count the tokens of a prompt."""
    body = fields.read(CountFields, call.seen.body)
    try:
        replica.model(body.model)
        tokens = len(conversation.render(_turns(body)))
    except Problem as problem:
        raise problem.for_anthropic() from None
    call.reply(200, codec.dumps({"input_tokens": tokens, "context_management": {"original_input_tokens": tokens}}))


def _as_chat(body: MessagesFields) -> ChatFields:
    return ChatFields(
        model=body.model,
        messages=_turns(body),
        max_completion_tokens=body.max_tokens,
        tools=body.tools or None,
        tool_choice=_TOOL_CHOICES[(body.tool_choice or {}).get("type", "auto")] if body.tools else None,
        stop=body.stop_sequences,
        stream=body.stream,
        temperature=body.temperature,
        top_k=body.top_k,
        top_p=body.top_p,
        cache_salt=body.cache_salt,
        kv_transfer_params=body.kv_transfer_params,
    )


def _turns(body: CountFields) -> list[dict[str, Any]]:
    turns = [{"role": "system", "content": _text(body.system)}] if body.system else []
    return turns + [{"role": message.role, "content": _text(message.content)} for message in body.messages]


def _text(content: str | list[dict[str, Any]] | None) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    return conversation.text_of([block for block in content if block.get("type") != "thinking"])


class MessagesAnswer(ChatAnswer):
    """What the two ways of answering have in common."""

    def message_usage(self) -> Json:
        """Return the usage in Anthropic's words."""
        prompt, completion = self.counts()
        usage = {"input_tokens": prompt, "output_tokens": completion}
        if self.replica.settings.prompt_tokens_details:
            cached, created = self.cache_counts()
            usage |= {"cache_creation_input_tokens": created, "cache_read_input_tokens": cached}
        return usage

    @staticmethod
    def stop_of(generation: Generation) -> tuple[str, str | None]:
        """Return the stop reason, and the stop sequence if it was one."""
        if isinstance(generation.stop_reason, str):
            return "stop_sequence", generation.stop_reason
        return _STOP_REASONS.get(generation.finish_reason or "stop", "end_turn"), None


class MessagesReply(MessagesAnswer):
    """A message answered in one piece."""

    @override
    def finished(self) -> None:
        generation = self.generations[0]
        reason, sequence = self.stop_of(generation)
        message: Json = {
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "content": [{"type": "text", "text": generation.text}],
            "model": self.model.name,
            "stop_reason": reason,
        }
        if sequence is not None:
            message["stop_sequence"] = sequence
        self.call.reply(200, codec.dumps(message | {"usage": self.message_usage()}))


class MessagesStream(MessagesAnswer):
    """A message answered token by token."""

    _is_block_open = False

    @override
    def began(self) -> None:
        self.call.open()

    @override
    def first_heard(self, generation: Generation) -> None:
        message: Json = {
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "content": [],
            "model": self.model.name,
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": len(self.prompt), "output_tokens": 0},
        }
        self._send("message_start", {"message": message})

    @override
    def took(self, generation: Generation, token: int | None, text: str) -> None:
        if not text:
            return
        if not self._is_block_open:
            self._is_block_open = True
            self._send("content_block_start", {"content_block": {"type": "text", "text": ""}, "index": 0})
        self._send("content_block_delta", {"delta": {"type": "text_delta", "text": text}, "index": 0}, tokens=1)

    @override
    def finished(self) -> None:
        if self._is_block_open:
            self._send("content_block_stop", {"index": 0})
        reason, sequence = self.stop_of(self.generations[0])
        delta = {"stop_reason": reason, "stop_sequence": sequence}
        self._send("message_delta", {"delta": delta, "usage": self.message_usage()})
        self._send("message_stop", {})
        self.call.end()

    @override
    def failed(self, message: str) -> None:
        self._send("error", {"error": {"type": "internal_error", "message": message}})
        self.call.end()

    def _send(self, event: str, data: Json, *, tokens: int = 0) -> None:
        told = codec.dumps({"type": event} | data)
        self.call.send(b"event: %b\ndata: %b\n\n" % (event.encode(), told), tokens=tokens)
