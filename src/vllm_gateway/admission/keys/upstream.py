"""Keys that the replicas know and the gateway does not: a replica is asked, and its answer holds for a moment."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from vllm_gateway.admission.keys.record import caller_id
from vllm_gateway.admission.keys.secret import digest
from vllm_gateway.admission.keys.sent import MAX_KEY_BYTES, keys_in, no_key, wrong_key
from vllm_gateway.admission.keys.throttle import Throttle
from vllm_gateway.callers import Caller
from vllm_gateway.clock import Clock
from vllm_gateway.errors import KeyRefused, KeysUnchecked
from vllm_gateway.exchange import Headers
from vllm_gateway.tasks import Tasks

HOLDS_S = 5.0
"""How long an answer is believed."""
MAX_KEYS = 10_000
RETRY_AFTER_S = 2.0

_VISIBLE = frozenset(range(0x21, 0x7F))

Check = Callable[[bytes], Awaitable[bool | None]]
"""Asks a replica about a key; None when none could be asked."""


@dataclass(frozen=True, slots=True)
class _Verdict:
    is_right: bool
    until: float


class UpstreamKeys:
    """Admits whoever has a key that a replica takes."""

    def __init__(self, check: Check, throttle: Throttle, clock: Clock, *, max_keys: int = MAX_KEYS) -> None:
        self._check = check
        self._throttle = throttle
        self._clock = clock
        self._max_keys = max_keys
        self._verdicts: dict[bytes, _Verdict] = {}
        """By the key's digest; the one that was given last stands last. A right one that is over still tells that its
        key may be asked about at any time."""
        self._asking: dict[bytes, asyncio.Task[bool | None]] = {}
        self._tasks = Tasks("key check")

    async def admit(self, headers: Headers, address: str) -> Caller:
        """Return who sent these headers; any one right key among them will do.

        Raises:
            KeyRefused: there is no key in them, or no right one.
            KeysThrottled: too many wrong ones came from this address.
            KeysUnchecked: no replica could be asked.
        """
        keys = keys_in(headers)
        if not keys:
            raise no_key()
        for key in keys:
            if self.is_known(key):
                return _caller(key)
        wrong: KeyRefused | KeysUnchecked = wrong_key()
        for key in keys:
            try:
                return await self.admit_key(key, address)
            except (KeyRefused, KeysUnchecked) as refused:
                wrong = refused
        raise wrong

    async def admit_key(self, key: bytes, address: str) -> Caller:
        """Return who has this key; raises what `admit` raises."""
        is_right = await self._is_right(key, address)
        if is_right is None:
            raise KeysUnchecked(
                "Your API key cannot be checked right now. Try again in a moment.", retry_after_s=RETRY_AFTER_S
            )
        if not is_right:
            raise wrong_key()
        return _caller(key)

    def is_known(self, key: bytes) -> bool:
        """Say whether a replica has just taken this key."""
        verdict = self._verdicts.get(digest(key))
        return verdict is not None and verdict.is_right and self._clock.now() < verdict.until

    async def close(self) -> None:
        """Give up what is being asked."""
        await self._tasks.close()

    async def _is_right(self, key: bytes, address: str) -> bool | None:
        if len(key) > MAX_KEY_BYTES or not _is_visible(key):
            self._count_wrong(address)
            return False
        name = digest(key)
        verdict, asking = self._verdicts.get(name), self._asking.get(name)
        if verdict is not None and self._clock.now() < verdict.until:
            is_right: bool | None = verdict.is_right
        elif asking is not None:
            is_right = await asyncio.shield(asking)
        else:
            was_right = verdict is not None and verdict.is_right
            return await asyncio.shield(self._ask(key, name, address, was_right=was_right))
        if is_right is False:
            self._count_wrong(address)
        return is_right

    def _count_wrong(self, address: str) -> None:
        self._throttle.check(address)
        self._throttle.count(address)

    def _ask(self, key: bytes, name: bytes, address: str, *, was_right: bool) -> "asyncio.Task[bool | None]":
        """Begin to ask. The key counts as wrong until it is known to be right: a thousand at once are no way past."""
        if not was_right:
            self._throttle.check(address)
        self._throttle.count(address)
        task = self._tasks.start(self._answer(key, name, address), name="question")
        self._asking[name] = task
        task.add_done_callback(lambda _: self._asking.pop(name, None))
        return task

    async def _answer(self, key: bytes, name: bytes, address: str) -> bool | None:
        is_right = await self._check(key)
        if is_right is not False:
            self._throttle.forgive(address)
        if is_right is not None:
            self._verdicts.pop(name, None)
            self._verdicts[name] = _Verdict(is_right, self._clock.now() + HOLDS_S)
            if len(self._verdicts) > self._max_keys:
                del self._verdicts[next(iter(self._verdicts))]
        return is_right


def _is_visible(key: bytes) -> bool:
    """Say whether a key can stand in a header."""
    return _VISIBLE.issuperset(key)


def _caller(key: bytes) -> Caller:
    return Caller(caller_id(digest(key)), upstream_key=key)
