"""Is a caller's key one that the replicas accept? They are asked themselves."""

import asyncio
from http import HTTPStatus

from vllm_gateway.upstream.asking import ask
from vllm_gateway.upstream.connection import ConnectionFault
from vllm_gateway.upstream.pool import Pool
from vllm_gateway.upstream.replica import Replica, is_sendable
from vllm_gateway.upstream.verdicts import KEY_STATUSES

PATH = "/v1/models"
"""A question that costs a replica nothing, and that it answers only to those who have a key."""
MOST_ASKED = 3
"""Replicas that are asked about one key at most."""
TIMEOUT_S = 2.0


class KeyCheck:
    """Asks replicas about keys."""

    def __init__(self, pool: Pool, *, timeout_s: float = TIMEOUT_S) -> None:
        self._pool = pool
        self._timeout_s = timeout_s

    async def check(self, key: bytes) -> bool | None:
        """Say whether `key` is a right one; None when no replica can say.

        The least busy replica is asked first. The first that says yes or no is believed.
        """
        if not is_sendable(key):
            return False
        usable = sorted((each for each in self._pool.replicas if each.is_usable), key=lambda each: each.outstanding)
        for replica in usable[:MOST_ASKED]:
            is_right = await self._ask(replica, key)
            if is_right is not None:
                return is_right
        return None

    async def _ask(self, replica: Replica, key: bytes) -> bool | None:
        try:
            async with asyncio.timeout(self._timeout_s):
                status = (await ask(replica, b"GET", PATH, callers_key=key)).status
        except (ConnectionFault, TimeoutError):
            return None
        if status == HTTPStatus.OK:
            return True
        return False if status in KEY_STATUSES else None
