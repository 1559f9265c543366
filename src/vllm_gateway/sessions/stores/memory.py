"""Conversations in this process: the fastest store, and gone with it.

No operation awaits anything between reading and writing, so each is atomic. What is handed in and out is shared and
must not be changed.
"""

import asyncio
from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from vllm_gateway.sessions.model import Begun, Changes, KeptResponse, Message, Session, Turn
from vllm_gateway.sessions.store import Permit, SessionTaken, StoreFailed

MAX_SESSIONS = 100_000
MAX_RESPONSES = 100_000
_RETRY_AFTER_S = 60.0
_SWEPT_AT_ONCE = 1_000


@dataclass(slots=True)
class _Kept:
    """A session with all that belongs to it."""

    session: Session
    messages: list[Message] = field(default_factory=list)
    holder: str | None = None
    lease_until: float = 0.0

    def is_there(self, now: float) -> bool:
        return self.lease_until > now or not self.session.is_expired(now)


class MemoryStore:
    """Keeps everything in dictionaries."""

    def __init__(self, *, max_sessions: int = MAX_SESSIONS, max_responses: int = MAX_RESPONSES) -> None:
        self._sessions: dict[str, _Kept] = {}
        self._places: dict[str, list[tuple[float, str]]] = {}
        """Of each owner: its sessions in the order of pages, as (minus the time of creation, id)."""
        self._responses: dict[str, KeptResponse] = {}
        self._max_sessions = max_sessions
        self._max_responses = max_responses

    @property
    def is_away(self) -> bool:
        """Never."""
        return False

    @property
    def faults(self) -> int:
        """None ever."""
        return 0

    async def create(self, session: Session) -> None:
        """Keep a new session; its id is unused."""
        if len(self._sessions) >= self._max_sessions:
            raise _full("sessions", self._max_sessions)
        self._sessions[session.id] = _Kept(session)
        insort(self._places.setdefault(session.owner, []), _place(session))

    async def find(self, session_id: str, now: float) -> Session | None:
        """Return a session, or None when there is none."""
        kept = self._there(session_id, now)
        return kept.session if kept else None

    async def page(self, owner: str, now: float, *, limit: int, after: str | None = None) -> list[Session]:
        """Return up to `limit` sessions of an owner, the youngest first, those that follow `after`."""
        places = self._places.get(owner, [])
        start = 0
        if after is not None:
            last = self._there(after, now)
            if last is None or last.session.owner != owner:
                return []
            start = bisect_left(places, _place(last.session)) + 1
        found: list[Session] = []
        while start < len(places) and len(found) < limit:
            if kept := self._there(places[start][1], now):
                found.append(kept.session)
            start += 1
        return found

    async def change(self, session_id: str, now: float, changes: Changes) -> Session | None:
        """Change a session and count that as a use of it."""
        kept = self._there(session_id, now)
        if kept is None:
            return None
        values = changes.values
        kept.session = replace(
            kept.session,
            used=now,
            model=values.get("model", kept.session.model),
            title=values.get("title", kept.session.title),
            system_prompt=values.get("system_prompt", kept.session.system_prompt),
        )
        return kept.session

    async def delete(self, session_id: str, now: float) -> bool:
        """Delete a session with its messages; say whether there was one."""
        kept = self._there(session_id, now)
        if kept is None:
            return False
        self._drop(kept)
        return True

    async def messages(self, session_id: str, *, start: int, limit: int) -> list[Message]:
        """Return up to `limit` messages from place `start` on, the oldest first."""
        kept = self._sessions.get(session_id)
        return kept.messages[start : start + limit] if kept else []

    async def begin(self, session_id: str, holder: str, now: float, *, lease_s: float) -> Begun | None:
        """Begin a turn, unless another one is under way."""
        kept = self._there(session_id, now)
        if kept is None:
            return None
        if kept.lease_until > now:
            raise SessionTaken
        kept.holder = holder
        kept.lease_until = now + lease_s
        return Begun(kept.session, tuple(kept.messages[kept.session.first_kept :]))

    async def renew(self, session_id: str, holder: str, now: float, *, lease_s: float) -> bool:
        """Prolong a lease; say whether the holder still has it."""
        kept = self._held(session_id, holder, now)
        if kept is None:
            return False
        kept.lease_until = now + lease_s
        return True

    async def finish(self, session_id: str, holder: str, turn: Turn, permit: Permit | None = None) -> Session | None:
        """Append a turn and give up the lease; None when the holder has none (any more)."""
        kept = self._held(session_id, holder, turn.at)
        if kept is None or not (permit is None or permit.use()):
            return None
        before = kept.session
        kept.messages += turn.messages
        kept.holder = None
        kept.lease_until = 0.0
        kept.session = Session(
            id=before.id,
            owner=before.owner,
            created=before.created,
            used=turn.at,
            ttl_s=before.ttl_s,
            model=before.model,
            title=before.title,
            system_prompt=before.system_prompt,
            turns=before.turns + 1,
            input_tokens=before.input_tokens + turn.prompt_tokens,
            output_tokens=before.output_tokens + turn.output_tokens,
            prompt_tokens=turn.prompt_tokens,
            messages=len(kept.messages),
            first_kept=turn.first_kept,
            replica=turn.replica,
        )
        return kept.session

    async def abandon(self, session_id: str, holder: str) -> None:
        """Give up the lease; nothing else changes."""
        kept = self._sessions.get(session_id)
        if kept is not None and kept.holder == holder:
            kept.holder = None
            kept.lease_until = 0.0

    async def keep(self, response: KeptResponse) -> None:
        """Keep a response; its id is unused."""
        if len(self._responses) >= self._max_responses:
            raise _full("responses", self._max_responses)
        self._responses[response.id] = response

    async def kept(self, ids: Sequence[str], now: float) -> list[KeptResponse]:
        """Return those responses that are there, in the order of `ids`."""
        found = (self._responses.get(each) for each in ids)
        return [response for response in found if response is not None and not response.is_expired(now)]

    async def forget(self, response_id: str) -> bool:
        """Delete a response; say whether there was one."""
        return self._responses.pop(response_id, None) is not None

    async def sweep(self, now: float) -> int:
        """Delete what has expired, some at a time so that nobody is held up; return how many sessions that were."""
        swept = 0
        for looked_at, kept in enumerate(list(self._sessions.values()), start=1):
            if not kept.is_there(now) and self._sessions.get(kept.session.id) is kept:
                self._drop(kept)
                swept += 1
            if looked_at % _SWEPT_AT_ONCE == 0:
                await asyncio.sleep(0)
        for looked_at, response in enumerate(list(self._responses.values()), start=1):
            if response.is_expired(now):
                self._responses.pop(response.id, None)
            if looked_at % _SWEPT_AT_ONCE == 0:
                await asyncio.sleep(0)
        return swept

    async def close(self) -> None:
        """Nothing is open."""

    def _there(self, session_id: str, now: float) -> _Kept | None:
        kept = self._sessions.get(session_id)
        return kept if kept is not None and kept.is_there(now) else None

    def _held(self, session_id: str, holder: str, now: float) -> _Kept | None:
        kept = self._there(session_id, now)
        return kept if kept is not None and kept.holder == holder else None

    def _drop(self, kept: _Kept) -> None:
        session = kept.session
        del self._sessions[session.id]
        places = self._places[session.owner]
        del places[bisect_left(places, _place(session))]
        if not places:
            del self._places[session.owner]


def _place(session: Session) -> tuple[float, str]:
    return -session.created, session.id


def _full(what: str, most: int) -> StoreFailed:
    return StoreFailed(
        f"The gateway keeps at most {most:,} {what} in memory. Delete some, or try again when old ones have expired.",
        retry_after_s=_RETRY_AFTER_S,
    )
