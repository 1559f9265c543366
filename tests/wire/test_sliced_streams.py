"""Streams that arrive in pieces of any size leave as they were."""

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.gateway import gateway
from tests.scripted import MODEL, Visit, as_replica, scripted
from vllm_gateway import codec

CHAT = "/v1/chat/completions"
STREAMS = 200
CALLERS = 4
LETTERS = (
    "plain words ",
    "é\u00fcß",
    "日本語中文",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467",
    "\u2028\u0000\t\n\r",
    '"usage":{"a":1}',
    '\\"}]}',
    "data: [DONE]",
)
USAGE = b',"usage":{"prompt_tokens":3,"total_tokens":4,"completion_tokens":1}'


def text(chance: random.Random) -> str:
    """Return some text in which anything may be."""
    return "".join(chance.choice(LETTERS) for _ in range(chance.randint(0, 4)))


def delta(chance: random.Random) -> dict[str, Any]:
    """Return what a chunk adds: words, thoughts, or a piece of a tool call."""
    match chance.randrange(4):
        case 0:
            return {"reasoning": text(chance)}
        case 1:
            return {"tool_calls": [{"index": chance.randrange(3), "function": {"arguments": text(chance)}}]}
        case _:
            return {"content": text(chance)}


def chunk(index: int, added: dict[str, Any], chance: random.Random, finish: str | None = None) -> bytes:
    """Return one event without its end."""
    logprobs = {"content": [{"token": text(chance), "logprob": -chance.random(), "bytes": [1, 2], "top_logprobs": []}]}
    choice = {"index": index, "delta": added, "logprobs": chance.choice([None, logprobs]), "finish_reason": finish}
    told = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": MODEL, "choices": [choice]}
    return b"data: " + codec.dumps(told)[:-1]


def choices_of(seed: int) -> int:
    """Return how many choices an answer has."""
    return 3 if seed % 3 == 0 else 1


def stream(seed: int) -> list[bytes]:
    """Return the events of one answer, each without its end."""
    chance = random.Random(seed)  # noqa: S311 - the same every time
    choices = range(choices_of(seed))
    events = [chunk(index, {"role": "assistant", "content": ""}, chance) for index in choices]
    events += [chunk(chance.choice(choices), delta(chance), chance) for _ in range(chance.randint(0, 25))]
    return events + [chunk(index, {}, chance, chance.choice(["stop", "length", "tool_calls"])) for index in choices]


def joined(events: Sequence[bytes], usage: bytes = b"") -> bytes:
    """Return a whole stream."""
    return b"".join(event + usage + b"}\n\n" for event in events) + b"data: [DONE]\n\n"


async def sliced(visit: Visit, request: bytes) -> None:
    """Answer in pieces of 1 to 64 bytes, cut anywhere; tell the usage with each event when that is asked for."""
    body = codec.loads(request.partition(b"\r\n\r\n")[2])
    seed = int(body["messages"][0]["content"])
    tells = body.get("stream_options", {}).get("continuous_usage_stats")
    data, chance = joined(stream(seed), USAGE if tells else b""), random.Random(seed)  # noqa: S311 - as above
    await visit.say_stream_head()
    at = 0
    while at < len(data):
        size = chance.randint(1, 64)
        await visit.say_events(data[at : at + size])
        at += size
        if chance.random() < 0.1:
            await asyncio.sleep(0)
    await visit.say(b"0\r\n\r\n")


@pytest.mark.parametrize("is_written_down", [False, True], ids=["plain", "usage ledger"])
async def test_whatever_is_said_and_however_it_is_cut_arrives_as_it_was(
    tmp_path: Path, *, is_written_down: bool
) -> None:
    """D-01: texts of all scripts, thoughts, tool calls, logprobs and three choices: every byte, and none more."""
    usage = {"backend": "sqlite", "path": str(tmp_path / "usage.sqlite")} if is_written_down else {}
    async with scripted(as_replica(sliced)) as replica, gateway(replica.url, usage=usage) as door:

        async def ask(first: int) -> None:
            for seed in range(first, STREAMS, CALLERS):
                body = {"model": MODEL, "messages": [{"role": "user", "content": str(seed)}], "stream": True}
                reply = await door.http.post(CHAT, json={**body, "n": choices_of(seed)})
                assert reply.content == joined(stream(seed)), seed

        await asyncio.gather(*map(ask, range(CALLERS)))
