"""`POST /v1/chat/completions`."""

from collections.abc import Callable, Sequence
from typing import Any

from pydantic import field_validator
from typing_extensions import override

from vllm_gateway import codec
from vllm_gateway.sim.api import conversation, fields, wishes
from vllm_gateway.sim.api.answering import Answer, Json, admit, present, request_id
from vllm_gateway.sim.api.fields import GenerationFields
from vllm_gateway.sim.api.logprobs import chat_logprobs, note_prompt, prompt_logprobs
from vllm_gateway.sim.api.problems import Problem, invalid
from vllm_gateway.sim.call import Call
from vllm_gateway.sim.engine.generation import Generation
from vllm_gateway.sim.engine.model import Model
from vllm_gateway.sim.replica import Replica

_UNTRUSTED = (
    "Chat template is passed with request, but --trust-request-chat-template is not set. "
    "Refused request with untrusted chat template."
)


class ChatFields(GenerationFields):
    """The body of a chat request."""

    messages: list[dict[str, Any]] | None
    max_completion_tokens: int | None = None
    logprobs: bool | None = False
    top_logprobs: int | None = 0
    tools: list[Any] | None = None
    tool_choice: str | dict[str, Any] | None = None
    chat_template: str | None = None
    add_generation_prompt: bool | None = None
    continue_final_message: bool = False
    return_prompt_text: bool | None = None

    @field_validator("messages", mode="before")
    @classmethod
    def _are_given(cls, messages: object) -> object:
        if messages is None:
            raise Problem("'NoneType' object is not iterable")
        return messages


def answer(replica: Replica, call: Call) -> None:
    """Answer a chat request."""
    body = fields.read(ChatFields, call.seen.body)
    start(replica, call, body, ChatStream if body.stream else ChatReply)


def start(replica: Replica, call: Call, body: ChatFields, kind: "Kind", limit: str | None = None) -> None:
    """Check a chat request and generate its answer, which a `kind` writes; `limit` is how its length is called."""
    _check(body)
    model = replica.model(body.model)
    admit(replica, body.choices)
    _check_tools(body)
    if body.chat_template is not None:
        raise Problem(_UNTRUSTED)
    prompt = _prompt(body)
    name = limit or ("max_tokens" if body.max_completion_tokens is None else "max_completion_tokens")
    wanted = body.max_tokens if body.max_completion_tokens is None else body.max_completion_tokens
    room = wishes.room_for_answer(wanted, len(prompt), replica.settings.max_model_len, name)
    logprobs = body.top_logprobs or 0 if body.logprobs else None
    each = wishes.wishes(body, max_tokens=room, logprobs=logprobs)
    kind(replica, call, body, model, prompt).run(model, [prompt], each)


def _prompt(body: ChatFields) -> list[int]:
    """Return the prompt of a conversation, or the ids that were handed over in its place."""
    handed = (body.kv_transfer_params or {}).get("prompt_token_ids")
    if handed is None or body.echo:
        return conversation.render(
            body.messages or [], open_reply=body.add_generation_prompt, continue_last=body.continue_final_message
        )
    if not isinstance(handed, list) or not handed or any(type(token) is not int or token < 0 for token in handed):
        message = "`kv_transfer_params['prompt_token_ids']` must be a non-empty list of non-negative integers."
        raise invalid(message, "kv_transfer_params.prompt_token_ids")
    if stranger := fields.first_stranger(handed):
        raise invalid(f"Token id {stranger} is out of vocabulary", "kv_transfer_params.prompt_token_ids")
    return handed


def _check(body: ChatFields) -> None:
    fields.check_stream_options(body)
    wishes.check_prompt_logprobs(body)
    top = body.top_logprobs or 0
    if top < -1:
        raise invalid("`top_logprobs` must be a positive value or -1.", "top_logprobs", top)
    if top and not body.logprobs:
        raise invalid("when using `top_logprobs`, `logprobs` must be set to true.", "top_logprobs")
    if body.tools == []:
        message = "`tools` must not be an empty array. Either provide at least one tool or omit the field entirely."
        raise invalid(message, "tools")
    choice = body.tool_choice
    if choice not in (None, "none") and not body.tools:
        raise invalid("When using `tool_choice`, `tools` must be set.", "tool_choice")
    if isinstance(choice, str) and choice not in {"none", "auto", "required"}:
        kinds = 'Only named tools, "none", "auto" or "required" are supported.'
        raise invalid(f"Invalid value for `tool_choice`: {choice}! {kinds}", "tool_choice")


def _check_tools(body: ChatFields) -> None:
    """Refuse tools that may be called, in the words of a vLLM that has no parser for them."""
    choice = body.tool_choice or ("auto" if body.tools else "none")
    if choice == "none":
        return
    if choice == "auto":
        raise Problem('"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set')
    raise Problem(f"tool_choice={_named(choice)} requires --tool-call-parser to be set")


def _named(choice: str | dict[str, Any]) -> str:
    if isinstance(choice, str):
        return f'"{choice}"'
    function = choice.get("function")
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise invalid(f"Invalid value for `function`: `{function}` in `tool_choice`!", "tool_choice.function")
    return f'function "{function["name"]}"'


Kind = Callable[[Replica, Call, ChatFields, Model, Sequence[int]], "ChatAnswer"]
"""Makes the one that writes the answer of a checked request."""


class ChatAnswer(Answer):
    """What the two ways of answering a chat have in common."""

    def __init__(self, replica: Replica, call: Call, body: ChatFields, model: Model, prompt: Sequence[int]) -> None:
        super().__init__(replica, call)
        self.body = body
        self.model = model
        self.prompt = prompt
        self.id = f"chatcmpl-{request_id(call, body.request_id)}"
        self.created = int(replica.clock.wall())

    def logprobs_of(self, generation: Generation, *, newest: bool) -> Json | None:
        """Return the log probabilities of all tokens of a choice, or of the newest."""
        if not self.body.logprobs:
            return None
        noted = generation.logprobs[-1:] if newest else generation.logprobs
        return chat_logprobs(noted, as_ids=bool(self.body.return_tokens_as_token_ids))

    def told_ids(self, token: int | None) -> list[int] | None:
        """Return the ids of an event, if they are wanted; an event without a token has none."""
        return ([] if token is None else [token]) if self.body.return_token_ids else None

    def echoed(self) -> str:
        """Return the text that `echo` wants before the answer: the last message, if the assistant said it."""
        last = self.body.messages[-1] if self.body.messages else {}
        return conversation.text_of(last.get("content")) if self.body.echo and last.get("role") == "assistant" else ""


class ChatReply(ChatAnswer):
    """A chat answered in one piece."""

    @override
    def finished(self) -> None:
        timing = self.timing()
        self.call.reply(
            200,
            codec.dumps(
                {
                    "id": self.id,
                    "object": "chat.completion",
                    "created": self.created,
                    "model": self.model.name,
                    "choices": [self._choice(generation) for generation in self.generations],
                    "service_tier": None,
                    "system_fingerprint": self.replica.settings.fingerprint,
                    "usage": self.usage(is_creation_told=True),
                    "prompt_logprobs": self._of_prompt(),
                    "prompt_token_ids": self.prompt if self.body.return_token_ids else None,
                    "prompt_text": conversation.shown(self.prompt) if self.body.return_prompt_text else None,
                    "kv_transfer_params": None,
                    "ec_transfer_params": None,
                    "metrics": timing and {**timing, "speculative_decoding": None},
                }
            ),
        )

    def _choice(self, generation: Generation) -> Json:
        return {
            "index": generation.index,
            "message": {
                "role": "assistant",
                "content": self.echoed() + generation.text,
                "refusal": None,
                "annotations": None,
                "audio": None,
                "function_call": None,
                "reasoning": None,
            },
            "logprobs": self.logprobs_of(generation, newest=False),
            "finish_reason": generation.finish_reason,
            "stop_reason": generation.stop_reason,
            "token_ids": generation.ids if self.body.return_token_ids else None,
            "routed_experts": None,
        }

    def _of_prompt(self) -> list[Any] | None:
        count = self.body.prompt_logprobs
        return None if count is None else prompt_logprobs(note_prompt(self.model, self.prompt, count))


class ChatStream(ChatAnswer):
    """A chat answered token by token."""

    @override
    def began(self) -> None:
        self.call.open()
        self.call.pulse_every(self.replica.settings.sse_keep_alive_s)
        start = {"id": self.id, "object": "chat.completion.chunk", "created": self.created, "model": self.model.name}
        self._start = b"data: " + codec.dumps(start)[:-1] + b',"choices":['
        self._is_plain = not (self.body.logprobs or self.body.return_token_ids or self.body.wants_usage_always)

    @override
    def first_heard(self, generation: Generation) -> None:
        told = {
            "prompt_token_ids": self.prompt if self.body.return_token_ids else None,
            "prompt_text": conversation.shown(self.prompt) if self.body.return_prompt_text else None,
        }
        for index in range(len(self.generations)):
            self._send_choice(self._piece(index, {"role": "assistant", "content": ""}), self._usage_at(0) | told)
        if echoed := self.echoed():
            for index in range(len(self.generations)):
                self._send_choice(self._piece(index, {"content": echoed}), self._usage_at(0))

    @override
    def took(self, generation: Generation, token: int | None, text: str) -> None:
        if self._is_plain and generation.finish_reason is None:
            self.call.send(
                b'%b{"index":%d,"delta":{"content":%b},"logprobs":null,"finish_reason":null,"token_ids":null}]}\n\n'
                % (self._start, generation.index, codec.dumps(text)),
                tokens=1,
            )
            return
        choice = self._piece(generation.index, {"content": text})
        choice["logprobs"] = self.logprobs_of(generation, newest=True)
        choice["finish_reason"] = generation.finish_reason
        if generation.finish_reason is not None:
            choice["stop_reason"] = generation.stop_reason
        choice["token_ids"] = self.told_ids(token)
        more = self._usage_at(len(generation.ids))
        if generation.finish_reason is not None and not self.body.wants_usage:
            more["system_fingerprint"] = self.replica.settings.fingerprint
        self._send_choice(choice, more, tokens=1)

    @override
    def finished(self) -> None:
        if self.body.wants_usage:
            more = {
                "usage": present(self.usage(is_creation_told=True)),
                "system_fingerprint": self.replica.settings.fingerprint,
                "metrics": self.timing(),
            }
            self.call.send(self._start + b"]," + codec.dumps(present(more))[1:] + b"\n\n")
        self.call.send(b"data: [DONE]\n\n")
        self.call.end()

    @staticmethod
    def _piece(index: int, delta: Json) -> Json:
        return {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}

    def _usage_at(self, completion: int) -> Json:
        if not self.body.wants_usage_always:
            return {}
        prompt = len(self.prompt)
        return {
            "usage": {
                "prompt_tokens": prompt,
                "total_tokens": prompt + completion,
                "completion_tokens": completion,
                "completion_tokens_details": None,
            }
        }

    def _send_choice(self, choice: Json, more: Json, *, tokens: int = 0) -> None:
        rest = b"," + codec.dumps(more)[1:] if more else b"}"
        self.call.send(self._start + codec.dumps(choice) + b"]" + rest + b"\n\n", tokens=tokens)
