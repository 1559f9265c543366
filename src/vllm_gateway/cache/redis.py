"""Answers in Redis or Valkey, for all gateways together."""

import asyncio
import logging
from collections.abc import Awaitable, Sequence
from typing import Any

from vllm_gateway.state.redis import FAULTS, connect, is_answered
from vllm_gateway.tasks import Tasks

log = logging.getLogger(__name__)

PROBE_EVERY_S = 1.0
"""How often an absent Redis is looked for; no request waits for that."""
_SOCKET_S = 1.0
_CLOSE_S = 2.0
_AT_ONCE = 16
"""So many texts are asked for in one command, so that each is answered in time."""
_PREFIX = b"vllm-gateway:1:"
_CLAIM = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return holder end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]
"""
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"


class RedisStore:
    """Keeps each text under a key of its own. The first command that fails or is late is the last until Redis answers.

    No command is ever broken off: one that is cut off half way would leave its answer to whoever uses the connection
    next. It goes on without the one who asked.
    """

    def __init__(
        self, url: str, *, limit_s: float, probe_every_s: float = PROBE_EVERY_S, name: bytes = b"cache"
    ) -> None:
        self.is_away = False
        """The last command failed; it is looked for by itself."""
        self._redis = connect(url, wait_s=_SOCKET_S)
        self._prefix = _PREFIX + name + b":"
        self._limit_s = limit_s
        self._probe_every_s = probe_every_s
        self._claim = self._redis.register_script(_CLAIM)
        self._release = self._redis.register_script(_RELEASE)
        self._tasks = Tasks("cache in redis")
        self._probes = Tasks("looking for redis")

    async def find(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return what is kept under each key; nothing while Redis is away."""
        found: list[bytes | None] = []
        for first in range(0, len(keys), _AT_ONCE):
            names = [self._name(key) for key in keys[first : first + _AT_ONCE]]
            texts = None if self.is_away else await self._run(self._read(names))
            found += [None] * len(names) if texts is None else texts
        return found

    async def keep(self, entries: Sequence[tuple[bytes, bytes]], ttl_s: float) -> None:
        """Keep each text, unless Redis is away."""
        for first in range(0, len(entries), _AT_ONCE):
            if not self.is_away:
                await self._run(self._write(entries[first : first + _AT_ONCE], round(ttl_s * 1000)))

    async def claim(self, key: bytes, claim: bytes, ttl_s: float) -> bytes:
        """Put a claim to a key for so long; return the claim that there is now. While Redis is away anybody may."""
        if self.is_away:
            return claim
        holder = await self._run(self._claim([self._claim_name(key)], [claim, round(ttl_s * 1000)]))
        return claim if holder is None else bytes(holder)

    async def release(self, key: bytes, claim: bytes) -> None:
        """Take a claim back, if it is still there."""
        if not self.is_away:
            await self._run(self._release([self._claim_name(key)], [claim]))

    async def close(self) -> None:
        """Let what is under way come to its end, and close the connections."""
        await self._probes.close()
        await self._tasks.finish(within_s=_CLOSE_S)
        await self._redis.aclose()

    async def _read(self, names: list[bytes]) -> list[bytes | None]:
        texts: Any = [await self._redis.get(names[0])] if len(names) == 1 else await self._redis.mget(names)
        return list(texts)

    async def _write(self, entries: Sequence[tuple[bytes, bytes]], ttl_ms: int) -> None:
        await asyncio.gather(*(self._redis.set(self._name(key), text, px=ttl_ms) for key, text in entries))

    async def _run(self, command: Awaitable[Any]) -> Any:  # noqa: ANN401 - what Redis answers
        """Return what a command gives; None when it fails or is late."""
        task = self._tasks.start(self._settled(command), name="command")
        if await is_answered(task, within_s=self._limit_s):
            return task.result()
        self._lose("no answer in time")
        return None

    async def _settled(self, command: Awaitable[Any]) -> Any:  # noqa: ANN401 - what Redis answers
        try:
            return await command
        except FAULTS as fault:  # nobody may be left to whom that could be raised
            self._lose(type(fault).__name__)
            return None

    def _lose(self, why: str) -> None:
        if not self.is_away:
            self.is_away = True
            log.warning("the cache does not work, requests go past it: %s", why)
            self._probes.start(self._look_for_it(), name="probe")

    async def _look_for_it(self) -> None:
        """Ask now and then whether it can be written to again: a replica after a failover answers, and refuses."""
        probe = self._prefix + b"probe"
        while self.is_away:
            await asyncio.sleep(self._probe_every_s)
            try:
                await self._redis.set(probe, b"", px=round(_SOCKET_S * 1000))
            except FAULTS:
                continue
            self.is_away = False
            log.warning("the cache works again")

    def _claim_name(self, key: bytes) -> bytes:
        return self._name(key) + b":claim"

    def _name(self, key: bytes) -> bytes:
        return self._prefix + key.hex().encode()
