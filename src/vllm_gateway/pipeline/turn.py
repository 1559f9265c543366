"""A turn of a session: what was said before is added, as much of it as fits, and what was answered is kept."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Any

from vllm_gateway import codec
from vllm_gateway.clock import Clock
from vllm_gateway.dialects.completions import Completion, completion_of_stream, read_completion, remembered
from vllm_gateway.exchange import Asked, Exchange, Saying, SessionNow, Sink
from vllm_gateway.pipeline.clamp import max_model_len
from vllm_gateway.pipeline.held import Held
from vllm_gateway.pipeline.sending import Sending
from vllm_gateway.sessions.model import Begun, Session, Turn
from vllm_gateway.sessions.owners import may_use
from vllm_gateway.sessions.tokenizer import LocalTokenizer
from vllm_gateway.sessions.trimming import Fitted, fit, new_messages
from vllm_gateway.sessions.turns import HeldTurn, Turns
from vllm_gateway.settings.model import Session as SessionSettings
from vllm_gateway.upstream.counting import Counting
from vllm_gateway.upstream.replica import Replica

_UNLIMITED = 1 << 40
"""Where neither the settings nor a replica names a limit."""


class TurnTeller:
    """Answers what is said in a session."""

    def __init__(
        self,
        sending: Sending,
        turns: Turns,
        counting: Counting,
        *,
        tokenizers: Mapping[str, LocalTokenizer],
        settings: SessionSettings,
        clock: Clock,
    ) -> None:
        self._sending = sending
        self._turns = turns
        self._counting = counting
        self._tokenizers = tokenizers
        self._settings = settings
        self._clock = clock

    async def answer(self, exchange: Exchange, asked: Asked, saying: Saying, sink: Sink) -> None:
        """Answer one turn into `sink`; its end leaves when the turn is kept.

        Raises:
            GatewayError: it could not be begun, did not fit, was not answered whole, or could not be kept. In every
                case the session is as it was.
        """
        session_id = saying.session_id or exchange.target
        is_bearer = saying.session_id is not None
        allowed = partial(may_use, caller=exchange.caller.id, is_bearer=is_bearer)
        async with self._turns.begin(session_id, allowed) as turn:
            asked = replace(asked, model=asked.model or turn.begun.session.model)
            await self._sending.with_model(exchange, asked, sink, partial(self._answer, exchange, saying, turn, sink))

    async def _answer(self, exchange: Exchange, saying: Saying, turn: HeldTurn, sink: Sink, asked: Asked) -> None:
        """Answer with one model."""
        model, serving = await self._sending.route(exchange, asked)
        exchange.prefers = turn.begun.session.replica
        fitted, asked = await self._fitted(turn.begun, asked, saying, model, serving)
        held = Held(sink)
        await self._sending.relay(exchange, asked, model, serving, held)
        if exchange.status != HTTPStatus.OK:
            held.release()
            return
        if held.is_gone:
            return
        if exchange.usage is not None and exchange.usage.prompt_tokens != fitted.prompt_tokens:
            self._counting.forget(serving, asked.fields)
        completion = completion_of_stream(held.seen) if held.is_stream else read_completion(held.seen)
        session = await turn.finish(self._turn(turn.begun, exchange, saying, fitted, completion))
        held.release(None if held.is_stream else saying.reply(completion, self._now(session)))

    async def _fitted(
        self, begun: Begun, asked: Asked, saying: Saying, model: str, serving: list[Replica]
    ) -> tuple[Fitted, Asked]:
        """Return what fits of the conversation, and the request with it."""
        limit = self._limit(model, serving)
        wanted = asked.fields.get("max_completion_tokens") or asked.fields.get("max_tokens")
        fitted = await fit(
            begun.window,
            first_kept=begun.session.first_kept,
            system=begun.session.system_prompt,
            new=saying.messages,
            limit_tokens=limit,
            reply_tokens=wanted if isinstance(wanted, int) else min(self._settings.reply_tokens, limit // 4),
            prompt_tokens=begun.session.prompt_tokens,
            count=self._count(asked, model, serving, begun.session.replica),
        )
        fields = {**asked.fields, "model": model, "messages": fitted.messages}
        if wanted is None and self._settings.max_context_tokens:
            fields["max_tokens"] = limit - fitted.prompt_tokens
        return fitted, replace(asked, fields=fields, body=codec.dumps(fields))

    def _limit(self, model: str, serving: Sequence[Replica]) -> int:
        """Return how many tokens prompt and answer may have together: what the settings say, and every replica can."""
        return min(self._settings.max_context_tokens or _UNLIMITED, max_model_len(model, serving) or _UNLIMITED)

    def _count(
        self, asked: Asked, model: str, serving: list[Replica], prefers: str | None
    ) -> Callable[[list[dict[str, Any]]], Awaitable[int]]:
        """Return what counts the tokens of a prompt made of messages."""
        local = next((self._tokenizers[each.name] for each in serving if each.name in self._tokenizers), None)

        async def count(messages: list[dict[str, Any]]) -> int:
            body = {**asked.fields, "model": model, "messages": messages}
            if local is not None and local.can_count(body):
                return await local.count(body)
            counted = await self._counting.count(serving, body, prefers=prefers)
            return counted.tokens

        return count

    def _turn(self, begun: Begun, exchange: Exchange, saying: Saying, fitted: Fitted, completion: Completion) -> Turn:
        usage = exchange.usage
        said = [*saying.messages, remembered(completion)]
        output_tokens = usage.completion_tokens if usage else 0
        return Turn(
            messages=new_messages(begun, fitted, said, output_tokens),
            first_kept=fitted.first_kept,
            prompt_tokens=fitted.prompt_tokens,
            output_tokens=output_tokens,
            replica=exchange.replica,
            at=self._clock.wall(),
        )

    def _now(self, session: Session) -> SessionNow:
        return SessionNow(
            id=session.id,
            turns=session.turns,
            expires_in=session.expires_in(self._clock.wall()),
            messages_in_context=session.messages - session.first_kept,
        )
