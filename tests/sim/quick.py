"""A sim that takes no time, and a client for it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from tests.waiting import PATIENCE_S
from vllm_gateway import codec
from vllm_gateway.sim import RunningSim, SimSettings, start

HELLO = {"messages": [{"role": "user", "content": "Hello"}], "temperature": 0}
LONG = HELLO | {"ignore_eos": True, "max_tokens": 200}


@dataclass
class Quick:
    """A running sim and a client."""

    sim: RunningSim
    http: httpx2.AsyncClient

    async def post(self, path: str, **body: Any) -> Any:  # noqa: ANN401 - JSON is any of its types
        """Return the JSON of a good answer."""
        answer = await self.http.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def refused(self, path: str, **body: Any) -> tuple[int, Any]:  # noqa: ANN401 - JSON is any of its types
        """Return status and JSON of a refusal."""
        answer = await self.http.post(path, json=body)
        assert answer.status_code >= 400
        return answer.status_code, answer.json()

    async def stream(self, path: str, **body: Any) -> list[Any]:  # noqa: ANN401 - JSON is any of its types
        """Return the events of a stream; the end marker as text."""
        answer = await self.http.post(path, json=body | {"stream": True})
        assert answer.status_code == 200, answer.text
        return events(answer.text)


@asynccontextmanager
async def quick(**settings: Any) -> AsyncIterator[Quick]:  # noqa: ANN401 - any setting
    """Run a sim in which everything takes no time unless `settings` say so."""
    chosen = SimSettings(**{"ttft_ms": 0, "ttft_ms_per_1k": 0, "itl_ms": 0} | settings)
    sim = await start(chosen)
    async with httpx2.AsyncClient(base_url=sim.url, timeout=PATIENCE_S, trust_env=False) as http:
        try:
            yield Quick(sim, http)
        finally:
            await sim.close()


def events(text: str) -> list[Any]:
    """Return the data of the events in `text`."""
    found = [line[6:] for line in text.split("\n") if line.startswith("data: ")]
    return [data if data == "[DONE]" else codec.loads(data) for data in found]


def text_of(chunks: list[Any], index: int = 0) -> str:
    """Return the text of one choice of a stream of chat or completions."""
    choices = [choice for chunk in chunks if chunk != "[DONE]" for choice in chunk.get("choices", ())]
    own = [choice for choice in choices if choice["index"] == index]
    return "".join(choice["text"] if "text" in choice else choice["delta"].get("content", "") for choice in own)


def ids_of(chunks: list[Any]) -> list[int]:
    """Return the token ids of a stream that tells them."""
    choices = [choice for chunk in chunks if chunk != "[DONE]" for choice in chunk.get("choices", ())]
    return [token for choice in choices for token in choice.get("token_ids") or ()]
