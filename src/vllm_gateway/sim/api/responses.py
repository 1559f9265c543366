"""`POST /v1/responses`: text in, text out, nothing stored; tools are noted and never called.

What other models called, and what came of it, is read like anything else that was said.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict
from typing_extensions import override

from vllm_gateway import codec
from vllm_gateway.sim.api import chat, fields, problems
from vllm_gateway.sim.api.answering import Json, new_id
from vllm_gateway.sim.api.chat import ChatAnswer, ChatFields
from vllm_gateway.sim.api.problems import Problem
from vllm_gateway.sim.call import Call
from vllm_gateway.sim.engine.generation import Generation
from vllm_gateway.sim.replica import Replica

_NO_STORE = (
    "This vLLM engine does not support `store=True` and therefore does not support the background mode. To enable "
    "these features, set the environment variable `VLLM_ENABLE_RESPONSES_API_STORE=1` when launching the vLLM server."
)


class ResponsesFields(BaseModel):
    """The body of a responses request."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    input: str | list[dict[str, Any]]
    background: bool | None = False
    instructions: str | None = None
    max_output_tokens: int | None = None
    metadata: dict[str, Any] | None = None
    model: str | None = None
    parallel_tool_calls: bool | None = True
    previous_response_id: str | None = None
    request_id: str | None = None
    service_tier: str = "auto"
    stream: bool | None = False
    temperature: float | None = None
    text: dict[str, Any] | None = None
    tools: list[Any] | None = None
    top_p: float | None = None
    top_k: int | None = None
    truncation: str | None = "disabled"
    user: str | None = None
    cache_salt: str | None = None
    kv_transfer_params: dict[str, Any] | None = None


def answer(replica: Replica, call: Call) -> None:
    """Answer a responses request."""
    body = fields.read(ResponsesFields, call.seen.body)
    replica.model(body.model)
    if body.previous_response_id is not None:
        raise Problem(
            f"Response with id '{body.previous_response_id}' not found.",
            status=404,
            kind="invalid_request_error",
            param="response_id",
        )
    if body.background:
        raise Problem(_NO_STORE, kind="invalid_request_error", param="background")
    wanted = (body.text or {}).get("format", {"type": "text"})
    chat_body = ChatFields(
        model=body.model,
        messages=_turns(body),
        max_tokens=body.max_output_tokens,
        response_format=wanted,
        stream=body.stream,
        temperature=body.temperature,
        top_p=body.top_p,
        top_k=body.top_k,
        cache_salt=body.cache_salt,
        kv_transfer_params=body.kv_transfer_params,
        request_id=body.request_id,
    )
    kind = ResponseStream if body.stream else ResponseReply
    chat.start(replica, call, chat_body, lambda *parts: kind(*parts, asked=body), "max_output_tokens")


def _turns(body: ResponsesFields) -> list[dict[str, Any]]:
    turns: list[dict[str, Any]] = [{"role": "system", "content": body.instructions}] if body.instructions else []
    if isinstance(body.input, str):
        return [*turns, {"role": "user", "content": body.input}]
    for item in body.input:
        turns += _turn(item)
    return turns


def _turn(item: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what an item adds to the conversation; thoughts are not repeated to the model."""
    match item:
        case {"role": role}:
            return [{"role": role, "content": item.get("content")}]
        case {"type": "function_call", "name": str(name), "arguments": str(arguments)}:
            return [{"role": "assistant", "content": f"{name}({arguments})"}]
        case {"type": "function_call_output", "call_id": str(), "output": output}:
            return [{"role": "tool", "content": output}]
        case {"type": "reasoning"}:
            return []
    raise problems.not_supported("The sim reads messages, thoughts, and calls of functions with their results.")


class ResponseAnswer(ChatAnswer):
    """What the two ways of answering have in common."""

    def __init__(self, *parts: Any, asked: ResponsesFields) -> None:  # noqa: ANN401 - those of `ChatAnswer`
        super().__init__(*parts)
        self.asked = asked
        self.id = asked.request_id or f"resp_{new_id()}"
        self.item_id = f"msg_{new_id()}"

    def response(self, status: str) -> Json:
        """Return the response object; its usage and its output are known at the end only."""
        asked = self.asked
        is_over = status != "in_progress"
        return {
            "id": self.id,
            "created_at": self.created,
            "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
            "instructions": asked.instructions,
            "metadata": asked.metadata,
            "model": self.model.name,
            "object": "response",
            "output": [self.item("completed")] if is_over else [],
            "parallel_tool_calls": asked.parallel_tool_calls,
            "temperature": 1.0 if asked.temperature is None else asked.temperature,
            "tool_choice": "auto" if asked.tools else "none",
            "tools": asked.tools or [],
            "top_p": 1.0 if asked.top_p is None else asked.top_p,
            "background": False,
            "max_output_tokens": self.generations[0].wish.max_tokens,
            "max_tool_calls": None,
            "previous_response_id": None,
            "prompt": None,
            "reasoning": None,
            "service_tier": asked.service_tier,
            "status": status,
            "text": asked.text and {**asked.text, "verbosity": asked.text.get("verbosity")},
            "top_logprobs": None,
            "truncation": asked.truncation,
            "usage": self._response_usage() if is_over else None,
            "user": asked.user,
            **self._metrics(is_over=is_over),
            "presence_penalty": 0.0,
            "frequency_penalty": 0.0,
            "kv_transfer_params": None,
            "ec_transfer_params": None,
            "input_messages": None,
            "output_messages": None,
        }

    def item(self, status: str) -> Json:
        """Return the message inside the response."""
        content = [self.part(None)] if status == "completed" else []
        return {
            "id": self.item_id,
            "content": content,
            "role": "assistant",
            "status": status,
            "type": "message",
            "phase": None,
        }

    def part(self, logprobs: list[Json] | None) -> Json:
        """Return the text inside the message."""
        text = "" if logprobs is not None else self.generations[0].text
        return {"annotations": [], "text": text, "type": "output_text", "logprobs": logprobs}

    def last_status(self) -> str:
        """Return how the response ended."""
        return "incomplete" if self.generations[0].finish_reason == "length" else "completed"

    def _metrics(self, *, is_over: bool) -> Json:
        timing = self.timing() if is_over else None
        if timing:
            return {"metrics": timing | {"speculative_decoding": None}}
        return {"metrics": None} if is_over else {}

    def _response_usage(self) -> Json:
        prompt, completion = self.counts()
        cached, created = self.cache_counts()
        return {
            "input_tokens": prompt,
            "input_tokens_details": {
                "cached_tokens": cached,
                "cache_write_tokens": created,
                "input_tokens_per_turn": [],
                "cached_tokens_per_turn": [],
            },
            "output_tokens": completion,
            "output_tokens_details": {
                "reasoning_tokens": 0,
                "tool_output_tokens": 0,
                "output_tokens_per_turn": [],
                "tool_output_tokens_per_turn": [],
            },
            "total_tokens": prompt + completion,
        }


class ResponseReply(ResponseAnswer):
    """A response in one piece."""

    @override
    def finished(self) -> None:
        self.call.reply(200, codec.dumps(self.response(self.last_status())))


class ResponseStream(ResponseAnswer):
    """A response event by event."""

    _sequence = -1

    @override
    def began(self) -> None:
        self.call.open()
        self._send("created", {"response": self.response("in_progress")})
        self._send("in_progress", {"response": self.response("in_progress")})

    @override
    def first_heard(self, generation: Generation) -> None:
        self._send("output_item.added", {"item": self.item("in_progress"), "output_index": 0})
        self._send("content_part.added", self._placed({"part": self.part([])}))

    @override
    def took(self, generation: Generation, token: int | None, text: str) -> None:
        if text:
            self._send("output_text.delta", self._placed({"delta": text, "logprobs": []}), tokens=1)

    @override
    def finished(self) -> None:
        text = self.generations[0].text
        self._send("output_text.done", self._placed({"logprobs": [], "text": text}))
        self._send("content_part.done", self._placed({"part": self.part(None)}))
        self._send("output_item.done", {"item": self.item("completed"), "output_index": 0})
        self._send("completed", {"response": self.response(self.last_status())})
        self.call.end()

    @override
    def failed(self, message: str) -> None:
        self.call.send(problems.in_band(message))
        self.call.end()

    def _placed(self, data: Json) -> Json:
        return dict(sorted((data | {"content_index": 0, "item_id": self.item_id, "output_index": 0}).items()))

    def _send(self, event: str, data: Json, *, tokens: int = 0) -> None:
        self._sequence += 1
        kind = f"response.{event}"
        told = dict(sorted((data | {"sequence_number": self._sequence, "type": kind}).items()))
        self.call.send(b"event: %b\ndata: %b\n\n" % (kind.encode(), codec.dumps(told)), tokens=tokens)
