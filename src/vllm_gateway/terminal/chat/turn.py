"""A turn: what is said goes to the gateway, and the answer comes back piece by piece."""

from collections.abc import Callable
from contextlib import aclosing
from typing import Any

from vllm_gateway.clock import Clock
from vllm_gateway.terminal.api.client import Client
from vllm_gateway.terminal.api.faults import Fault, Refused
from vllm_gateway.terminal.api.reply import Reply
from vllm_gateway.terminal.chat.conversation import Conversation, begin
from vllm_gateway.terminal.chat.words.entry import Entry, State


class Turn:
    """One question of a conversation, and its answer while it grows."""

    def __init__(self, client: Client, chat: Conversation, question: Entry, answer: Entry, clock: Clock) -> None:
        self.question = question
        self.answer = answer
        self.reply = Reply(clock.now())
        self._client = client
        self._chat = chat
        self._clock = clock

    async def run(self, changed: Callable[[], None]) -> None:
        """Ask, and let the answer grow; `changed` is called for every piece.

        A conversation that has not begun is begun; one that has expired meanwhile goes on as a new one.

        Raises:
            Fault: there is no whole answer, and the gateway has kept nothing of the turn.
        """
        has_session = self._chat.session is not None
        try:
            await self._ask(changed)
        except Refused as refusal:
            if not has_session or refusal.code != "session_not_found":
                raise
            self._chat.session = None
            await self._ask(changed)
        await self._finish()

    async def _ask(self, changed: Callable[[], None]) -> None:
        if self._chat.session is None:
            await begin(self._client, self._chat, self.question.text, self._chat.kept())
        self.reply = Reply(self._clock.now())
        path = f"/v1/sessions/{self._chat.session}/chat"
        async with aclosing(self._client.stream(path, self._body())) as events:
            async for event in events:
                delta = self.reply.take(event, self._clock.now())
                if delta.text or delta.thought:
                    self.answer.state = State.RUNNING
                    changed()

    def _body(self) -> dict[str, Any]:
        named = {"model": self._chat.model} if self._chat.model else {}
        streamed = {"stream": True, "stream_options": {"include_usage": True}}
        return {"message": self.question.text, **named, **self._chat.parameters.body(), **streamed}

    async def _finish(self) -> None:
        """Note what is kept now, and tell how it went."""
        reply, places = self.reply, len(self._chat.kept())
        self.copy()
        self.question.place, self.answer.place = places, places + 1
        self.answer.state = State.WHOLE
        self.answer.name = reply.model or self.answer.name
        prompt, output = reply.count("prompt_tokens") or 0, reply.count("completion_tokens") or 0
        self._chat.context_tokens = prompt + output
        self.answer.footer = told(reply, await self._replica())

    def copy(self) -> None:
        """Put into the answer what has come."""
        self.answer.text, self.answer.thinking = self.reply.text, self.reply.thinking

    async def _replica(self) -> str | None:
        try:
            session = await self._client.get(f"/v1/sessions/{self._chat.session}")
        except Fault:
            return None  # only the footer lacks it
        found = session.get("replica")
        return found if isinstance(found, str) else None


def told(reply: Reply, replica: str | None) -> str:
    """Return what stands below an answer: how quickly it came, and from where."""
    parts: list[str] = []
    if reply.ttft_s is not None:
        parts.append(f"TTFT {reply.ttft_s * 1000:,.0f} ms")
    if reply.tokens_per_s is not None:
        parts.append(f"{reply.tokens_per_s:,.0f} tok/s")
    prompt, output = reply.count("prompt_tokens"), reply.count("completion_tokens")
    if prompt is not None:
        cached = f" ({reply.cached_tokens:,} cached)" if reply.cached_tokens else ""
        parts.append(f"in {prompt:,}{cached}")
    if output is not None:
        parts.append(f"out {output:,}")
    parts.append(f"{reply.took_s:.1f} s")
    if replica:
        parts.append(replica)
    if reply.finish_reason == "length":
        parts.append("cut at the token limit")
    return " · ".join(parts)
