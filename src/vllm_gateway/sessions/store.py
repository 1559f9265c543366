"""What every store of conversations promises. One contract suite holds all of them to it.

A store is shared by all gateways that are pointed at it. Every operation is atomic: it happens whole or not at all,
and when it has returned, it outlives the process (but for the store that lives in memory). A caller who is cancelled
meanwhile does not break it off: it comes to its end all the same. Expired sessions and
responses are absent to every operation, whether they have been swept or not.

Anything that goes wrong between the gateway and the place where a store keeps things is a `StoreFailed`.
"""

from collections.abc import Sequence
from typing import Protocol

from vllm_gateway.errors import StoreFailed
from vllm_gateway.sessions.model import Begun, Changes, KeptResponse, Message, Session, Turn

__all__ = ["Permit", "SessionTaken", "Store", "StoreFailed"]


class SessionTaken(Exception):
    """Another turn of the session is under way."""


class Permit:
    """Lets a write be kept until it is withdrawn; the store uses it directly before it commits."""

    def __init__(self) -> None:
        self.is_used = False
        self._is_withdrawn = False

    def use(self) -> bool:
        """Say whether the write may be kept; from now on only the store's result says whether it was."""
        self.is_used = not self._is_withdrawn
        return self.is_used

    def withdraw(self) -> bool:
        """Forbid the write; say whether that was in time."""
        self._is_withdrawn = True
        return not self.is_used


class Store(Protocol):
    """Keeps sessions, their messages, and responses. All operations raise `StoreFailed` when the place is away."""

    @property
    def is_away(self) -> bool:
        """The last operation failed; the next one may work again."""
        ...

    @property
    def faults(self) -> int:
        """How many operations have failed."""
        ...

    async def create(self, session: Session) -> None:
        """Keep a new session; its id is unused."""
        ...

    async def find(self, session_id: str, now: float) -> Session | None:
        """Return a session, or None when there is none."""
        ...

    async def page(self, owner: str, now: float, *, limit: int, after: str | None = None) -> list[Session]:
        """Return up to `limit` sessions of an owner, the youngest first, those that follow `after` when it is given.

        An `after` that is not there (any more) gives an empty page. Sessions of one instant are ordered by id.
        """
        ...

    async def change(self, session_id: str, now: float, changes: Changes) -> Session | None:
        """Change a session and count that as a use of it; return it as it is now, or None when there is none."""
        ...

    async def delete(self, session_id: str, now: float) -> bool:
        """Delete a session with its messages; say whether there was one."""
        ...

    async def messages(self, session_id: str, *, start: int, limit: int) -> list[Message]:
        """Return up to `limit` messages from place `start` on, the oldest first; the caller knows the session."""
        ...

    async def begin(self, session_id: str, holder: str, now: float, *, lease_s: float) -> Begun | None:
        """Begin a turn: from now on, for `lease_s`, no other holder can begin one. None when there is no session.

        Raises:
            SessionTaken: another holder's turn is under way and its lease has not run out.
        """
        ...

    async def renew(self, session_id: str, holder: str, now: float, *, lease_s: float) -> bool:
        """Prolong a lease; say whether the holder still has it. A session with a turn under way does not expire."""
        ...

    async def finish(self, session_id: str, holder: str, turn: Turn, permit: Permit | None = None) -> Session | None:
        """Append a turn's messages, update the session and give up the lease; return the session as it is now.

        None, and nothing is written, when the session is gone, the holder has lost the lease, or `permit` was
        withdrawn. It is withdrawn when the store takes too long: what fails in that way will not be written later.
        """
        ...

    async def abandon(self, session_id: str, holder: str) -> None:
        """Give up the lease; nothing else changes. Without a lease this does nothing."""
        ...

    async def keep(self, response: KeptResponse) -> None:
        """Keep a response; its id is unused."""
        ...

    async def kept(self, ids: Sequence[str], now: float) -> list[KeptResponse]:
        """Return those responses that are there, in the order of `ids`."""
        ...

    async def forget(self, response_id: str) -> bool:
        """Delete a response; say whether there was one."""
        ...

    async def sweep(self, now: float) -> int:
        """Delete what has expired; return how many sessions that were."""
        ...

    async def close(self) -> None:
        """Let go of connections and files."""
        ...
