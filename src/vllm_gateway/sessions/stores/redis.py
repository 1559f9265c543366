"""Conversations in Redis or Valkey."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from typing import Any

from vllm_gateway import codec
from vllm_gateway.sessions.model import Begun, Changes, KeptResponse, Message, Session, Turn
from vllm_gateway.sessions.store import Permit, SessionTaken
from vllm_gateway.sessions.stores import redis_scripts
from vllm_gateway.sessions.stores.outage import Outage
from vllm_gateway.state.redis import FAULTS, connect

LIMIT_S = 5.0
"""How long a caller waits for an operation, all of its commands together."""
_WAIT_S = 2.0
_PREFIX = "vllm-gateway:1:"
_EXPIRY = f"{_PREFIX}expiry"
"""The sessions and their owners, by the time at which the next sweep has to look at them."""
_SWEPT_AT_ONCE = 200
_LOOKED_UP_AT_ONCE = 100

_READ = {"created": float, "used": float, "ttl_s": float} | dict.fromkeys(
    ("turns", "input_tokens", "output_tokens", "prompt_tokens", "messages", "first_kept"), int
)


class RedisStore:
    """Keeps each session in a hash of its own. No operation is repeated by itself: a turn must not be kept twice."""

    def __init__(self, url: str) -> None:
        self._redis = connect(url, wait_s=_WAIT_S)
        self._outage = Outage("redis", FAULTS, limit_s=LIMIT_S)
        script = self._redis.register_script
        self._create = script(redis_scripts.CREATE)
        self._find = script(redis_scripts.FIND)
        self._change = script(redis_scripts.CHANGE)
        self._delete = script(redis_scripts.DELETE)
        self._messages = script(redis_scripts.MESSAGES)
        self._begin = script(redis_scripts.BEGIN)
        self._renew = script(redis_scripts.RENEW)
        self._finish = script(redis_scripts.FINISH)
        self._abandon = script(redis_scripts.ABANDON)
        self._expire = script(redis_scripts.EXPIRE)
        self._following = script(redis_scripts.FOLLOWING)

    @property
    def is_away(self) -> bool:
        """The last operation failed."""
        return self._outage.is_on

    @property
    def faults(self) -> int:
        """How many operations have failed."""
        return self._outage.faults

    async def create(self, session: Session) -> None:
        """Keep a new session; its id is unused."""
        await self._outage.run(self._write_new(session))

    async def find(self, session_id: str, now: float) -> Session | None:
        """Return a session, or None when there is none."""
        return _session(await self._outage.run(self._find([_key(session_id)], [repr(now)])))

    async def page(self, owner: str, now: float, *, limit: int, after: str | None = None) -> list[Session]:
        """Return up to `limit` sessions of an owner, the youngest first, those that follow `after`."""
        return await self._outage.run(self._read_page(owner, now, limit, after))

    async def change(self, session_id: str, now: float, changes: Changes) -> Session | None:
        """Change a session and count that as a use of it."""
        new = [part for name, value in changes.values.items() if value is not None for part in (name, _bytes(value))]
        gone = [name for name, value in changes.values.items() if value is None]
        return _session(await self._outage.run(self._change([_key(session_id)], [repr(now), len(new), *new, *gone])))

    async def delete(self, session_id: str, now: float) -> bool:
        """Delete a session with its messages; say whether there was one."""
        return await self._outage.run(self._remove(_bytes(session_id), now))

    async def messages(self, session_id: str, *, start: int, limit: int) -> list[Message]:
        """Return up to `limit` messages from place `start` on, the oldest first."""
        return _read_messages(await self._outage.run(self._messages([_key(session_id)], [start, start + limit])))

    async def begin(self, session_id: str, holder: str, now: float, *, lease_s: float) -> Begun | None:
        """Begin a turn, unless another one is under way."""
        lease = [repr(now), holder, repr(now + lease_s), repr(lease_s)]
        begun = await self._outage.run(self._begin([_key(session_id)], lease))
        if begun == 1:
            raise SessionTaken
        session = _session(begun[0]) if begun else None
        return None if session is None else Begun(session, tuple(_read_messages(begun[1])))

    async def renew(self, session_id: str, holder: str, now: float, *, lease_s: float) -> bool:
        """Prolong a lease; say whether the holder still has it."""
        lease = [repr(now), holder, repr(now + lease_s), repr(lease_s)]
        return bool(await self._outage.run(self._renew([_key(session_id)], lease)))

    async def finish(self, session_id: str, holder: str, turn: Turn, permit: Permit | None = None) -> Session | None:
        """Append a turn and give up the lease; None when the holder has none (any more)."""
        counts = [turn.first_kept, turn.prompt_tokens, turn.output_tokens]
        replica = b"" if turn.replica is None else _bytes(turn.replica)
        said = [codec.dumps([message.fields, message.tokens]) for message in turn.messages]
        asked: list[str | int | bytes] = [repr(turn.at), holder, *counts, int(turn.replica is not None), replica, *said]
        return _session(await self._outage.run(self._append(_key(session_id), asked, permit), permit))

    async def abandon(self, session_id: str, holder: str) -> None:
        """Give up the lease; nothing else changes."""
        await self._outage.run(self._abandon([_key(session_id)], [holder]))

    async def keep(self, response: KeptResponse) -> None:
        """Keep a response; its id is unused."""
        lives_s = int(response.expires - response.created) + redis_scripts.GRACE_S if response.expires else None
        await self._outage.run(self._redis.set(_response_key(response.id), codec.dumps(_values(response)), ex=lives_s))

    async def kept(self, ids: Sequence[str], now: float) -> list[KeptResponse]:
        """Return those responses that are there, in the order of `ids`."""
        found: list[KeptResponse] = []
        for first in range(0, len(ids), _LOOKED_UP_AT_ONCE):
            keys = [_response_key(each) for each in ids[first : first + _LOOKED_UP_AT_ONCE]]
            found += [_response(text) for text in await self._outage.run(self._redis.mget(keys)) if text is not None]
        return [response for response in found if not response.is_expired(now)]

    async def forget(self, response_id: str) -> bool:
        """Delete a response; say whether there was one."""
        return bool(await self._outage.run(self._redis.delete(_response_key(response_id))))

    async def sweep(self, now: float) -> int:
        """Delete sessions that have expired, and return how many; responses are deleted by the server itself."""
        swept = 0
        while True:
            looking = self._redis.zrangebyscore(_EXPIRY, "-inf", repr(now), start=0, num=_SWEPT_AT_ONCE)
            due: list[Any] = await self._outage.run(looking)
            for member in due:
                swept += await self._outage.run(self._look_at(member, now))
            if len(due) < _SWEPT_AT_ONCE:
                return swept

    async def close(self) -> None:
        """Let go of connections and files."""
        await self._outage.close()
        await self._redis.aclose()

    async def _append(
        self, key: bytes, asked: list[str | int | bytes], permit: Permit | None
    ) -> Sequence[bytes | None] | None:
        if permit is not None and not permit.use():
            return None
        appended: Sequence[bytes | None] | None = await self._finish([key], asked)
        return appended

    async def _write_new(self, session: Session) -> None:
        values = [part for name, value in asdict(session).items() if value is not None for part in (name, _text(value))]
        await self._create([_key(session.id)], values)
        await self._redis.zadd(_of_owner(_bytes(session.owner)), {_bytes(session.id): -session.created})
        if session.ttl_s:
            member = _bytes(session.id) + b" " + _bytes(session.owner)
            await self._redis.zadd(_EXPIRY, {member: session.used + session.ttl_s})

    async def _read_page(self, owner: str, now: float, limit: int, after: str | None) -> list[Session]:
        if after is not None and not await self._find([_key(after)], [repr(now)]):
            return []
        found: list[Session] = []
        last = None if after is None else _bytes(after)
        while True:
            asked: list[int | bytes] = [int(last is not None), last or b"", _LOOKED_UP_AT_ONCE]
            ids: list[bytes] = await self._following([_of_owner(_bytes(owner))], asked)
            for each in ids:
                session = _session(await self._find([_key_of(each)], [repr(now)]))
                found += [session] if session else []
                if len(found) >= limit:
                    return found
            if len(ids) < _LOOKED_UP_AT_ONCE:
                return found
            last = ids[-1]

    async def _remove(self, session_id: bytes, now: float) -> bool:
        owner: bytes | None = await self._delete([_key_of(session_id)], [repr(now)])
        if owner is None:
            return False
        await self._unlist(session_id, owner)
        return True

    async def _look_at(self, member: bytes, now: float) -> int:
        """Delete a session if it has expired, or note when to look again; return how many that were."""
        session_id, _, owner = member.partition(b" ")
        looked = await self._expire([_key_of(session_id)], [repr(now)])
        if isinstance(looked, bytes):
            await self._redis.zadd(_EXPIRY, {member: float(looked)})
            return 0
        await self._unlist(session_id, owner)
        return int(looked)

    async def _unlist(self, session_id: bytes, owner: bytes) -> None:
        await self._redis.zrem(_EXPIRY, session_id + b" " + owner)
        await self._redis.zrem(_of_owner(owner), session_id)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(value: str | float) -> bytes:
    return _bytes(value) if isinstance(value, str) else repr(value).encode()


def _key(session_id: str) -> bytes:
    return _key_of(_bytes(session_id))


def _key_of(session_id: bytes) -> bytes:
    return _PREFIX.encode() + b"session:{" + session_id + b"}"


def _of_owner(owner: bytes) -> bytes:
    return _PREFIX.encode() + b"owner:" + owner


def _response_key(response_id: str) -> bytes:
    return _PREFIX.encode() + b"response:{" + _bytes(response_id) + b"}"


def _session(values: Sequence[bytes | None] | None) -> Session | None:
    if values is None:
        return None
    read = zip(redis_scripts.FIELDS, values, strict=True)
    return Session(**{name: _value(name, value) for name, value in read})


def _value(name: str, value: bytes | None) -> Any:  # noqa: ANN401 - the type of the field
    if value is None:
        return None
    number = _READ.get(name)
    return value.decode("utf-8", "surrogatepass") if number is None else number(value)


def _read_messages(texts: Iterable[bytes]) -> list[Message]:
    return [Message(*codec.loads(text)) for text in texts]


def _values(response: KeptResponse) -> list[Any]:
    return [getattr(response, field.name) for field in fields(KeptResponse)]


def _response(text: bytes | str) -> KeptResponse:
    id_, owner, created, expires, chain, items, response, replica = codec.loads(text)
    return KeptResponse(id_, owner, created, expires, tuple(chain), items, response, replica)
