"""Streams of a real sim, cut where a test wants, and what a caller makes of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.exchanges import OPERATIONS
from tests.wire.sims import fast
from vllm_gateway import codec
from vllm_gateway.dialects.recovery.recovery import ChunkRecovery
from vllm_gateway.dialects.recovery.safety import Ways, ways_of
from vllm_gateway.dialects.sse import payloads, split_events
from vllm_gateway.exchange import Asked, Leg
from vllm_gateway.settings.fleet import Resume
from vllm_gateway.sim import start

CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"
MAX_MODEL_LEN = 4096
_HEAD = "host: sim\r\ncontent-type: application/json\r\nx-request-id: one\r\n"


class Client:
    """One connection to a sim, used again and again."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.asked: list[str] = []

    async def post(self, path: str, body: bytes) -> bytes:
        """Return the body of the answer; a stream's once it is over."""
        self.asked.append(path)
        head = f"POST {path} HTTP/1.1\r\n{_HEAD}content-length: {len(body)}\r\n\r\n"
        self.writer.write(head.encode() + body)
        lines = (await self.reader.readuntil(b"\r\n\r\n")).lower()
        assert lines.startswith(b"http/1.1 200"), (lines, path, body)
        if b"transfer-encoding: chunked" not in lines:
            length = int(lines.split(b"content-length: ")[1].split(b"\r\n")[0])
            return await self.reader.readexactly(length)
        parts: list[bytes] = []
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            parts.append((await self.reader.readexactly(size + 2))[:-2])
        await self.reader.readexactly(2)
        return b"".join(parts)

    async def ask(self, path: str, body: bytes) -> bytes | None:
        """Answer a short question of a recovery."""
        return await self.post(path, body)

    async def stream(self, leg: Leg) -> bytes:
        """Return the whole stream that a leg asks for."""
        return await self.post(leg.path, leg.body)


@asynccontextmanager
async def client(**settings: Any) -> AsyncIterator[Client]:  # noqa: ANN401 - any setting
    """Run a sim, and connect to it."""
    sim = await start(fast(port=0, max_model_len=MAX_MODEL_LEN, **settings))
    reader, writer = await asyncio.open_connection(sim.host, sim.port)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
        await sim.close()


def asked_for(path: str, fields: dict[str, Any]) -> Asked:
    """Return what a body asks for, as the gateway understands it."""
    return OPERATIONS[path].read(codec.dumps(fields))


def recovery_of(path: str, fields: dict[str, Any], ways: Ways | None = None) -> ChunkRecovery:
    """Return the recovery of the answer to a body."""
    asked = asked_for(path, fields)
    ways = ways or ways_of(asked, Resume())
    return ChunkRecovery(asked, sent(fields), ways, Resume(), max_model_len=MAX_MODEL_LEN)


def sent(fields: dict[str, Any]) -> bytes:
    """Return the body that the first replica gets."""
    return codec.dumps(fields | {"return_token_ids": True})


@dataclass(slots=True)
class Heard:
    """What a caller makes of a stream."""

    texts: dict[str, str] = field(default_factory=dict)
    roles: int = 0
    reasons: list[tuple[object, object]] = field(default_factory=list)
    ends: int = 0
    usages: list[tuple[int, int, int]] = field(default_factory=list)
    token_ids: list[int] = field(default_factory=list)
    said_by: set[tuple[object, ...]] = field(default_factory=set)
    fingerprints: list[str] = field(default_factory=list)
    errors: int = 0


def heard(stream: bytes) -> Heard:
    """Read a stream of one choice as a client library does."""
    told = Heard(ends=sum(event == b"data: [DONE]\n\n" for event in split_events(stream)))
    for payload in payloads(stream):
        chunk = codec.loads(payload)
        if "error" in chunk:
            told.errors += 1
            continue
        told.said_by.add(tuple(chunk.get(name) for name in ("id", "object", "created", "model")))
        if chunk.get("system_fingerprint"):
            told.fingerprints.append(chunk["system_fingerprint"])
        if not chunk["choices"]:
            usage = chunk["usage"]
            told.usages.append((usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]))
        for choice in chunk["choices"]:
            _hear(told, choice)
    return told


def _hear(told: Heard, choice: dict[str, Any]) -> None:
    delta = choice.get("delta", {"text": choice.get("text")})
    told.roles += "role" in delta
    for name, text in delta.items():
        if name != "role":
            told.texts[name] = told.texts.get(name, "") + text
    told.token_ids.extend(choice.get("token_ids") or ())
    if choice["finish_reason"] is not None:
        told.reasons.append((choice["finish_reason"], choice["stop_reason"]))
