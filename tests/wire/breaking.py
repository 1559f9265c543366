"""Streams that break off on purpose, and what their callers make of them."""

import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2

from tests.gateway import Gateway
from tests.sim.quick import events, text_of
from tests.wire.sims import fast, fleet
from vllm_gateway.sim import RunningSim, SimSettings

CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"
TOKENS = 24
GREEDY: dict[str, Any] = {
    "model": "sim-small",
    "max_tokens": TOKENS,
    "ignore_eos": True,
    "temperature": 0,
    "stream": True,
    "stream_options": {"include_usage": True},
}
MESSAGES = {"messages": [{"role": "user", "content": "emoji"}]}
"""The answers to these words have characters of several bytes in their middle."""
BODIES: dict[str, dict[str, Any]] = {CHAT: GREEDY | MESSAGES, COMPLETIONS: GREEDY | {"prompt": "emoji"}}
REPLAYED: dict[str, dict[str, Any]] = {
    "logprobs": {"temperature": 0, "logprobs": True, "top_logprobs": 2},
    "choices": {"temperature": 1.0, "seed": 7, "n": 3},
    "seed": {"temperature": 1.0, "seed": 7},
    "penalty": {"temperature": 0, "presence_penalty": 0.5},
}
"""What is added to a body so that its answer is the same everywhere, and cannot go on by token ids."""


@dataclass
class Fleet:
    """Sims behind a gateway, and what goes wrong with the next answers, whichever sim gives them."""

    sims: list[RunningSim]
    door: Gateway
    faults: list[str] = field(default_factory=list)

    def asked(self) -> list[str]:
        """Return the routes by which answers were asked for, since the faults were set."""
        seen = [each for sim in self.sims for each in sim.log.requests if each.method == "POST"]
        return [each.target for each in sorted(seen, key=lambda each: each.head_at) if each.target in BODIES]

    async def stream(self, path: str, body: dict[str, Any], *faults: str) -> str:
        """Return all that comes of a stream, while each answer has its fault."""
        self.faults[:] = faults
        for sim in self.sims:
            sim.log.requests.clear()
        text = b""
        async with self.door.http.stream("POST", path, json=body) as reply:
            assert reply.status_code == 200, await reply.aread()
            with contextlib.suppress(httpx2.RemoteProtocolError):
                async for data in reply.aiter_raw():
                    text += data
        return text.decode()


@asynccontextmanager
async def fragile(count: int = 2, kind: SimSettings | None = None, **settings: Any) -> AsyncIterator[Fleet]:  # noqa: ANN401 - any setting
    """Run sims that all say the same, and a gateway before them."""
    async with fleet(*[kind or fast()] * count, **settings) as (sims, door):
        run = Fleet(sims, door)
        for sim in sims:
            sim.faults.trap = lambda _: [run.faults.pop(0)] if run.faults else []
        yield run


def told(stream: str) -> dict[str, Any]:
    """Return what a caller makes of a stream."""
    chunks = events(stream)
    choices = [choice for chunk in chunks if chunk != "[DONE]" for choice in chunk.get("choices", ())]
    return {
        "texts": {index: text_of(chunks, index) for index in {choice["index"] for choice in choices}},
        "roles": Counter(choice["index"] for choice in choices if choice.get("delta", {}).get("role")),
        "ends": sorted((choice["index"], choice["finish_reason"]) for choice in choices if choice["finish_reason"]),
        "usage": [counts_of(chunk["usage"]) for chunk in chunks if chunk != "[DONE]" and chunk.get("usage")],
        "last": chunks[-1],
        "done": chunks.count("[DONE]"),
        "errors": sum("error" in chunk for chunk in chunks if chunk != "[DONE]"),
        "streams": len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in chunks if "id" in chunk}),
        "ids": [token for choice in choices for token in choice.get("token_ids") or ()],
    }


def counts_of(usage: dict[str, Any]) -> dict[str, Any]:
    """Return the tokens of prompt and answer; what came out of a cache is each replica's own matter."""
    return {name: count for name, count in usage.items() if name != "prompt_tokens_details"}


def is_broken(stream: str) -> bool:
    """Say whether a stream ended with one error event, and nothing looks like a proper end."""
    end = told(stream)
    return (end["errors"], end["done"], end["ends"]) == (1, 0, []) and "error" in end["last"]
