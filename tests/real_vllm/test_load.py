"""Many streams at once over two replicas: none fails, none is mixed with another, and both replicas work."""

import asyncio

import httpx2
import openai

from tests.real_vllm.asked import CHAT, chat, gauge, questions, read_events, told
from tests.real_vllm.fleet import MODEL, Fleet, Server


async def test_64_streams(http: httpx2.AsyncClient, front: Server, replicas: Fleet) -> None:
    """64 concurrent streams say what a replica says that was asked directly, each of them whole."""
    bodies = [chat(question, max_tokens=32, stream=True) for question in questions(64)]
    bodies = [{**body, "stream_options": {"include_usage": True}} for body in bodies]
    bare = await asyncio.gather(*(read_events(http, replicas.first.url + CHAT, body) for body in bodies))
    through = await asyncio.gather(*(read_events(http, front.url + CHAT, body) for body in bodies))
    assert list(map(told, through)) == list(map(told, bare))
    assert len({told(events).text for events in through}) == 64
    assert {events[-1] for events in through} == {b"data: [DONE]"}


async def finished(http: httpx2.AsyncClient, server: Server) -> float:
    """Return how many requests a replica has finished, from its own metrics."""
    return gauge((await http.get(f"{server.url}/metrics")).text, "vllm:request_success_total")


async def answer(client: openai.AsyncOpenAI, question: str) -> str:
    """Return the joined text of one streamed chat answer."""
    stream = await client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": question}], max_tokens=16, temperature=0, stream=True
    )
    return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])


async def answers(server: Server, asked: list[str]) -> list[str]:
    """Return the answers to all questions, asked at once through OpenAI's client without a second attempt."""
    async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0, timeout=120) as client:
        return await asyncio.gather(*(answer(client, question) for question in asked))


async def test_200_streams(http: httpx2.AsyncClient, front: Server, replicas: Fleet) -> None:
    """200 concurrent chat streams end without an error, say what a replica says, and neither replica gets over 60 %."""
    asked = questions(200)
    bare = await answers(replicas.first, asked)
    before = [await finished(http, server) for server in (replicas.first, replicas.second)]
    through = await answers(front, asked)
    after = [await finished(http, server) for server in (replicas.first, replicas.second)]
    shares = [now - then for now, then in zip(after, before, strict=True)]
    assert through == bare
    assert sum(shares) == 200
    assert max(shares) <= 120
