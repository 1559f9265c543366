"""The responses that are kept: found for their owner only, with all that led to them."""

from collections.abc import Sequence
from typing import Any

from vllm_gateway.clock import Clock
from vllm_gateway.errors import ResponseUnknown
from vllm_gateway.sessions.model import KeptResponse
from vllm_gateway.sessions.store import Store

_PREVIOUS = "previous_response_id"
"""The field that names the response to go on from."""


class Responses:
    """Keeps responses in a store."""

    def __init__(self, store: Store, *, ttl_s: float, clock: Clock) -> None:
        self._store = store
        self._ttl_s = ttl_s
        self._clock = clock

    async def find(self, response_id: str, owner: str, *, param: str | None = None) -> KeptResponse:
        """Return a response of `owner`; `param` is the field that names it, if a field does.

        Raises:
            ResponseUnknown: there is none, or it is somebody else's.
        """
        found = await self._store.kept([response_id], self._clock.wall())
        if not found or found[0].owner != owner:
            raise _unknown(response_id, param)
        return found[0]

    async def chain(self, response_id: str, owner: str) -> list[KeptResponse]:
        """Return a response of `owner` and all that it goes on from, the first one first.

        Raises:
            ResponseUnknown: it, or one that it goes on from, is not there (any more).
        """
        last = await self.find(response_id, owner, param=_PREVIOUS)
        earlier = await self._store.kept(last.chain, self._clock.wall()) if last.chain else []
        if len(earlier) != len(last.chain):
            there = {each.id for each in earlier}
            raise _unknown(next(each for each in last.chain if each not in there), _PREVIOUS)
        return [*earlier, last]

    async def check(self) -> None:
        """Return at once while the store works; one that is away is asked whether it is back.

        Raises:
            StoreFailed: it is not, so nothing can be kept.
        """
        if self._store.is_away:
            await self._store.kept(["resp_none"], self._clock.wall())

    async def keep(
        self, response: dict[str, Any], *, owner: str, chain: Sequence[str], items: list[Any], replica: str | None
    ) -> None:
        """Keep a response; when this returns it outlives the gateway."""
        now = self._clock.wall()
        kept = KeptResponse(
            id=response["id"],
            owner=owner,
            created=now,
            expires=now + self._ttl_s if self._ttl_s else 0.0,
            chain=tuple(chain),
            input=items,
            response=response,
            replica=replica,
        )
        await self._store.keep(kept)

    async def forget(self, response_id: str, owner: str) -> None:
        """Delete a response of `owner`.

        Raises:
            ResponseUnknown: there is none, or it is somebody else's.
        """
        await self.find(response_id, owner)
        await self._store.forget(response_id)


def _unknown(response_id: str, param: str | None) -> ResponseUnknown:
    shown = response_id if len(response_id) <= 100 and response_id.isprintable() else "with this id"  # noqa: PLR2004 - a line of text
    return ResponseUnknown(
        f"There is no response {shown}. It was not stored, was deleted, or is older than responses are kept.",
        param=param,
    )
