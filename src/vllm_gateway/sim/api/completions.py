"""`POST /v1/completions`."""

from typing import Any

from typing_extensions import override

from vllm_gateway import codec
from vllm_gateway.sim.api import fields, wishes
from vllm_gateway.sim.api.answering import Answer, Json, admit, present, request_id
from vllm_gateway.sim.api.fields import GenerationFields
from vllm_gateway.sim.api.logprobs import Noted, completion_logprobs, note_prompt, prompt_logprobs
from vllm_gateway.sim.api.problems import Problem, invalid
from vllm_gateway.sim.call import Call
from vllm_gateway.sim.engine import tokens
from vllm_gateway.sim.engine.generation import Generation
from vllm_gateway.sim.engine.model import Model
from vllm_gateway.sim.replica import Replica

_DEFAULT_MAX_TOKENS = 16
_MOST_PROMPTS = 1024


class CompletionFields(GenerationFields):
    """The body of a completions request."""

    prompt: fields.Prompts | None = None
    max_tokens: int | None = _DEFAULT_MAX_TOKENS
    logprobs: int | None = None
    suffix: str | None = None


def answer(replica: Replica, call: Call) -> None:
    """Answer a completions request."""
    body = fields.read(CompletionFields, call.seen.body)
    fields.check_stream_options(body)
    if body.logprobs is not None and body.logprobs < -1:
        raise invalid("`logprobs` must be a positive value or -1.", "logprobs", body.logprobs)
    wishes.check_prompt_logprobs(body)
    if body.prompt is None or body.prompt == "":
        raise invalid("Either prompt or prompt_embeds must be provided and non-empty.", "prompt")
    model = replica.model(body.model)
    admit(replica, body.choices)
    if body.suffix is not None:
        raise Problem("suffix is only supported for models with FIM completion rendering", param="suffix")
    prompts = _prompts(body.prompt)
    longest = max(map(len, prompts))
    is_counted = not any(isinstance(part, str) for part in body.prompt)
    wanted = _DEFAULT_MAX_TOKENS if body.max_tokens is None else body.max_tokens
    only_echo = body.echo and wanted == 0
    context = replica.settings.max_model_len
    room = wishes.room_for_answer(wanted, longest, context, is_counted=is_counted) or (1 if only_echo else 0)
    each = wishes.wishes(body, max_tokens=room, logprobs=body.logprobs)
    kind = CompletionStream if body.stream else CompletionReply
    kind(replica, call, body, model, only_echo=only_echo).run(model, prompts, each)


def _prompts(prompt: fields.Prompts) -> list[list[int]]:
    prompts = fields.token_ids(prompt)
    if len(prompts) > _MOST_PROMPTS:
        message = f"prompt list length {len(prompts)} exceeds the maximum allowed count of {_MOST_PROMPTS}."
        raise invalid(message, "prompt")
    return prompts


class CompletionAnswer(Answer):
    """What the two ways of answering have in common."""

    def __init__(self, replica: Replica, call: Call, body: CompletionFields, model: Model, *, only_echo: bool) -> None:
        super().__init__(replica, call)
        self.body = body
        self.model = model
        self.only_echo = only_echo
        self.id = f"cmpl-{request_id(call, body.request_id)}"
        self.created = int(replica.clock.wall())

    def logprobs_of(self, noted: list[Noted]) -> Json | None:
        """Return log probabilities in the shape of completions, if they are wanted."""
        if self.body.logprobs is None:
            return None
        return completion_logprobs(noted, as_ids=bool(self.body.return_tokens_as_token_ids))

    def told_ids(self, token: int | None) -> list[int] | None:
        """Return the ids of an event, if they are wanted; an event without a token has none."""
        return ([] if token is None else [token]) if self.body.return_token_ids else None

    def echoed(self, generation: Generation) -> str:
        """Return the text that `echo` wants before the answer."""
        if not self.body.echo or self.body.return_token_ids:
            return ""
        return tokens.decode(generation.prompt, skip_special=self.body.skip_special_tokens)

    def noted_prompt(self, generation: Generation) -> list[Noted]:
        """Return the log probabilities of the prompt's tokens, if `echo` wants them."""
        if not self.body.echo or self.body.logprobs is None:
            return []
        return note_prompt(self.model, generation.prompt, self.body.logprobs)


class CompletionReply(CompletionAnswer):
    """A completion answered in one piece."""

    @override
    def finished(self) -> None:
        timing = self.timing()
        self.call.reply(
            200,
            codec.dumps(
                {
                    "id": self.id,
                    "object": "text_completion",
                    "created": self.created,
                    "model": self.model.name,
                    "choices": [self._choice(generation) for generation in self.generations],
                    "service_tier": None,
                    "system_fingerprint": self.replica.settings.fingerprint,
                    "usage": self.usage(),
                    "kv_transfer_params": None,
                    "ec_transfer_params": None,
                    "metrics": timing and {**timing, "speculative_decoding": None},
                }
            ),
        )

    def _choice(self, generation: Generation) -> Json:
        noted: list[Noted] = self.noted_prompt(generation)
        if not self.only_echo:
            noted.extend(generation.logprobs)
        return {
            "index": generation.index,
            "text": self.echoed(generation) + ("" if self.only_echo else generation.text),
            "logprobs": self.logprobs_of(noted),
            "finish_reason": generation.finish_reason,
            "stop_reason": generation.stop_reason,
            "token_ids": generation.ids if self.body.return_token_ids else None,
            "prompt_logprobs": self._of_prompt(generation),
            "prompt_token_ids": generation.prompt if self.body.return_token_ids else None,
            "routed_experts": None,
        }

    def _of_prompt(self, generation: Generation) -> list[Any] | None:
        count = self.body.prompt_logprobs
        if count is None and self.body.echo:
            count = self.body.logprobs
        return None if count is None else prompt_logprobs(note_prompt(self.model, generation.prompt, count))


class CompletionStream(CompletionAnswer):
    """A completion answered token by token."""

    @override
    def began(self) -> None:
        self.call.open()
        self.call.pulse_every(self.replica.settings.sse_keep_alive_s)
        start = {"id": self.id, "object": "text_completion", "created": self.created, "model": self.model.name}
        self._start = b"data: " + codec.dumps(start)[:-1] + b',"choices":['
        body = self.body
        self._is_plain = not (
            body.logprobs is not None or body.return_token_ids or body.wants_usage_always or body.echo
        )

    @override
    def took(self, generation: Generation, token: int | None, text: str) -> None:
        if self._is_plain and generation.finish_reason is None:
            self.call.send(
                b'%b{"index":%d,"text":%b,"logprobs":null,"finish_reason":null,"stop_reason":null,'
                b'"prompt_token_ids":null,"token_ids":null}]}\n\n' % (self._start, generation.index, codec.dumps(text)),
                tokens=1,
            )
            return
        is_first = len(generation.ids) == 1
        noted: list[Noted] = list(generation.logprobs[-1:])
        if is_first:
            noted = self.noted_prompt(generation) + noted
            text = self.echoed(generation) + ("" if self.only_echo else text)
        is_prompt_told = is_first and (self.body.return_token_ids or self.body.echo)
        choice = {
            "index": generation.index,
            "text": text,
            "logprobs": self.logprobs_of(noted),
            "finish_reason": generation.finish_reason,
            "stop_reason": generation.stop_reason,
            "prompt_token_ids": generation.prompt if is_prompt_told else None,
            "token_ids": self.told_ids(token),
        }
        self._send_choice(choice, self._more(generation))

    @override
    def finished(self) -> None:
        if self.body.wants_usage:
            more = {
                "usage": self.usage(),
                "system_fingerprint": self.replica.settings.fingerprint,
                "metrics": self.timing(),
            }
            self.call.send(self._start + b"]," + codec.dumps(present(more))[1:] + b"\n\n")
        self.call.send(b"data: [DONE]\n\n")
        self.call.end()

    def _more(self, generation: Generation) -> Json:
        more: Json = {}
        if generation.finish_reason is not None and not self.body.wants_usage:
            more["system_fingerprint"] = self.replica.settings.fingerprint
        if self.body.wants_usage_always:
            prompt, completion = len(generation.prompt), len(generation.ids)
            more["usage"] = {
                "prompt_tokens": prompt,
                "total_tokens": prompt + completion,
                "completion_tokens": completion,
            }
        return more

    def _send_choice(self, choice: Json, more: Json) -> None:
        rest = b"," + codec.dumps(more)[1:] if more else b"}"
        self.call.send(self._start + codec.dumps(choice) + b"]" + rest + b"\n\n", tokens=1)
