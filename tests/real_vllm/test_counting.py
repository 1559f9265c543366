"""What the gateway counts is what a real vLLM counts."""

import asyncio
import random
import re
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.real_vllm.fleet import MODEL, Fleet, Server, environment_folder, gateway

SESSIONS = "/v1/sessions"
AT_ONCE = 8
WORDS = ["the", "of_", "answer", "42", "e.g.", "don't\n\n\ttab", "C++", "https://a.example/?q=1", "...", "ünïcödé", ""]
ODD = [
    "\U0001f469\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",  # a family: one emoji out of seven code points
    "\U0001f3f3\ufe0f\u200d\U0001f308\U0001f1e8\U0001f1ed\U0001f44d\U0001f3fd",  # flags, and a colour of skin
    *("你好。世界。", "こんにちは", "안녕하세요", "नमस्ते", "שלום", "مرحبا"),
    *("e\u0301\u0323", "Z\u0351\u036b\u0343"),  # combining marks
    *("\u00a0\u200b\ufeff", "\ufb01\u00bd\u2167", "\U0001d518\U0001d52b\U0001d526", "\U0010fffd", "\x7f"),
    *("<|user|>", "<s>", "</s>", "<|im_start|>", "{{ x }}{% y %}"),
]


def text(chance: random.Random, length: int) -> str:
    """Return so many words, some of which no tokenizer likes."""
    words = (chance.choice(ODD if chance.random() < 0.3 else WORDS) for _ in range(length))
    return chance.choice(["", " "]).join(words)


@pytest.fixture(scope="module", params=["replica", "folder"])
def front(
    request: pytest.FixtureRequest, replicas: Fleet, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """Return a gateway that asks the replica for counts, and one that counts by itself."""
    more = {"tokenizer_path": str(environment_folder() / "model")} if request.param == "folder" else {}
    upstreams = [{"route": "tiny", "url": f"{each.url}/v1", **more} for each in (replicas.first, replicas.second)]
    log = tmp_path_factory.mktemp(f"counting-{request.param}") / "gateway.log"
    with gateway(log, settings={"upstreams": upstreams, "session": {"backend": "memory"}}) as running:
        yield running


async def begin(http: httpx2.AsyncClient, front: Server, **fields: str) -> str:
    """Begin a session, and return its address."""
    reply = await http.post(front.url + SESSIONS, json={"model": MODEL, **fields})
    assert reply.status_code == 201, reply.text
    return f"{front.url}{SESSIONS}/{reply.json()['id']}"


async def say(http: httpx2.AsyncClient, session: str, message: object, max_tokens: int) -> dict[str, Any]:
    """Have a turn, and return its answer."""
    reply = await http.post(f"{session}/chat", json={"message": message, "max_tokens": max_tokens})
    assert reply.status_code == 200, reply.text
    return dict(reply.json())


async def talk(http: httpx2.AsyncClient, front: Server, chance: random.Random) -> list[tuple[int, int]]:
    """Have a random conversation; return what the replica and what the gateway counted in every turn."""
    fields = {"system_prompt": text(chance, chance.randint(1, 30))} if chance.random() < 0.5 else {}
    session = await begin(http, front, **fields)
    counts = []
    for _ in range(chance.randint(2, 3)):
        message = text(chance, chance.choice([0, 1, 2, 20, 200]))
        parts = [{"type": "text", "text": message}]
        answer = await say(http, session, message if message and chance.random() < 0.8 else parts, chance.randint(1, 4))
        state = (await http.get(session)).json()
        counts.append((answer["usage"]["prompt_tokens"], state["usage"]["prompt_tokens"]))
    return counts


async def test_200_random_conversations(http: httpx2.AsyncClient, front: Server) -> None:
    """Emoji, scripts, marks, special tokens, nothing at all: both always have the same number."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(seed: int) -> list[tuple[int, int]]:
        async with room:
            return await talk(http, front, random.Random(seed))  # noqa: S311 - the same every time

    turns = [turn for counts in await asyncio.gather(*map(one, range(200))) for turn in counts]
    assert len(turns) >= 400
    assert [turn for turn in turns if turn[0] != turn[1]] == []
    assert (max(turns)[0] > 500, min(turns)[0] < 20) == (True, True)


async def test_a_500_turn_conversation_never_gets_too_long(http: httpx2.AsyncClient, front: Server) -> None:
    """In a model of 4,096 tokens every turn is answered, and what is sent fills what there is room for."""
    chance = random.Random(500)  # noqa: S311 - the same every time
    session = await begin(http, front, system_prompt="You tell a story without an end.")
    prompts = []
    for _ in range(500):
        answer = await say(http, session, text(chance, chance.choice([1, 20, 60])) or "Go on.", 4)
        prompts.append(answer["usage"]["prompt_tokens"])
    state = (await http.get(session)).json()
    assert (state["turns"], state["usage"]["prompt_tokens"]) == (500, prompts[-1])
    assert max(prompts) <= 4096 - 4
    assert sum(prompts[-200:]) / 200 > 3500
    assert 0 < state["messages_in_context"] < 1000


async def test_a_turn_that_can_never_fit_is_refused(http: httpx2.AsyncClient, front: Server) -> None:
    """What can never fit is refused with both numbers, before a replica is asked for an answer."""
    session = await begin(http, front)
    reply = await http.post(f"{session}/chat", json={"message": "word " * 5000, "max_tokens": 16})
    assert reply.status_code == 413
    needed, allowed = map(int, re.findall(r"\d+", reply.json()["error"]["message"]))
    assert needed > allowed == 4096
    assert (await http.get(session)).json()["turns"] == 0
