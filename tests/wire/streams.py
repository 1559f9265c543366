"""Streams that are open while something is done to the gateway."""

import asyncio
from typing import Any

import httpx2

from vllm_gateway import codec

MODEL = "sim-small"
CHAT = "/v1/chat/completions"


class Streamed:
    """One streamed answer, read in the background."""

    def __init__(self, http: httpx2.AsyncClient, question: str, *, tokens: int) -> None:
        self.text = ""
        self.finish: str | None = None
        self.is_done = False
        self.errors: list[Any] = []
        self.status = 0
        self._body = {
            "model": MODEL,
            "messages": [{"role": "user", "content": question}],
            "stream": True,
            "max_tokens": tokens,
            "temperature": 0,
            "ignore_eos": True,
        }
        self.task = asyncio.get_running_loop().create_task(self._read(http))

    @property
    def is_whole(self) -> bool:
        """It came to its proper end."""
        return self.status == 200 and not self.errors and self.is_done and self.finish == "length"

    async def _read(self, http: httpx2.AsyncClient) -> None:
        async with http.stream("POST", CHAT, json=self._body) as reply:
            self.status = reply.status_code
            async for line in reply.aiter_lines():
                if not line.startswith("data: "):
                    continue
                if line == "data: [DONE]":
                    self.is_done = True
                    continue
                event = codec.loads(line[6:])
                if "error" in event:
                    self.errors.append(event)
                    continue
                for choice in event["choices"]:
                    self.text += choice["delta"].get("content") or ""
                    self.finish = choice["finish_reason"] or self.finish


async def ask(http: httpx2.AsyncClient, question: str = "Hello") -> httpx2.Response:
    """Ask for a short answer in one piece."""
    body = {"model": MODEL, "messages": [{"role": "user", "content": question}], "max_tokens": 4}
    return await http.post(CHAT, json=body)
