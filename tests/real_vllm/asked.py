"""What these tests ask, and how they compare two answers to it."""

import re
from dataclasses import dataclass
from typing import Any

import httpx2

from tests.real_vllm.fleet import MODEL
from vllm_gateway import codec

CHAT = "/v1/chat/completions"
_CHANGING = re.compile(
    rb'"id":"[^"]*"|"created":\d+|"created_at":\d+|"metrics":\{[^}]*\}|"(?:cached|created_cache)_tokens":\d+'
)


def chat(question: str = "Hello", *, max_tokens: int = 16, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return the body of a chat call whose answer is the same every time."""
    messages = [{"role": "user", "content": question}]
    return {"model": MODEL, "messages": messages, "max_tokens": max_tokens, "temperature": 0, **fields}


def questions(count: int) -> list[str]:
    """Return questions of different lengths, each with an answer of its own."""
    return [f"Question {number}: {'what is ' * (number % 7)}the object {number * 37 % 101}?" for number in range(count)]


def settled(body: bytes) -> bytes:
    """Blank what two equal answers differ in: ids, times, and how much of the prompt was in the prefix cache."""
    return _CHANGING.sub(b"_", body)


async def read_events(client: httpx2.AsyncClient, url: str, body: dict[str, Any]) -> list[bytes]:
    """Return the events of a streamed answer, each as it was sent."""
    async with client.stream("POST", url, json=body) as response:
        assert response.status_code == 200, await response.aread()
        raw = b"".join([piece async for piece in response.aiter_raw()])
    return raw.split(b"\n\n")[:-1] if raw.endswith(b"\n\n") else raw.split(b"\n\n")


@dataclass(frozen=True)
class Told:
    """What a chat stream of one choice says, however its tokens were spread over events."""

    first: bytes
    text: str
    finish_reason: str
    completion_tokens: int
    last: bytes


def told(events: list[bytes]) -> Told:
    """Join a stream that was asked for usage: a busy vLLM puts several tokens into one event."""
    first, *middle, usage, last = events
    choices = [codec.loads(event.removeprefix(b"data: "))["choices"][0] for event in middle]
    count = codec.loads(usage.removeprefix(b"data: "))["usage"]["completion_tokens"]
    text = "".join(choice["delta"]["content"] for choice in choices)
    return Told(settled(first), text, choices[-1]["finish_reason"], count, last)


def gauge(metrics: str, name: str, **labels: str) -> float:
    """Return the sum of every series of this name that carries these labels."""
    series = re.compile(rf"^{re.escape(name)}\{{(.*)\}} (\S+)$", re.MULTILINE)
    wanted = [f'{label}="{value}"' for label, value in labels.items()]
    return sum(float(value) for found, value in series.findall(metrics) if all(pair in found for pair in wanted))
