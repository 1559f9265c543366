"""`/admin/keys`: client keys are made, listed and revoked while the gateway runs."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from vllm_gateway.admission.keys.expiry import read_expiry
from vllm_gateway.admission.keys.listing import described
from vllm_gateway.admission.keys.record import MAX_NAME_CHARACTERS, KeyRecord, RecordInvalid, new_record
from vllm_gateway.admission.keys.secret import mint
from vllm_gateway.admission.keys.store import KeyStore, NameAmbiguous, StoreUnusable
from vllm_gateway.callers import Allowance, Priority
from vllm_gateway.clock import Clock
from vllm_gateway.errors import FieldInvalid, KeysUnchecked, PathUnknown

_Amount = Annotated[int, Field(ge=0, le=1_000_000_000, strict=True)]
_Model = Annotated[str, Field(min_length=1, max_length=256)]


class KeyBody(BaseModel):
    """What a key is made with. A limit of 0 is none of its own: what the settings say counts."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=MAX_NAME_CHARACTERS)]
    models: Annotated[tuple[_Model, ...], Field(max_length=256)] = ()
    requests_per_minute: _Amount = 0
    requests_per_second: _Amount = 0
    tokens_per_minute: _Amount = 0
    tokens_per_day: _Amount = 0
    concurrent: _Amount = 0
    priority: Annotated[Priority, Field(alias="class")] = Priority.STANDARD
    expires: Annotated[str, Field(max_length=32)] | None = None

    def allowance(self) -> Allowance:
        """Return the limits."""
        return Allowance(**{limit: getattr(self, limit) for limit in Allowance.__slots__})


def key_routes(store: KeyStore, refresh: Callable[[], Awaitable[None]], clock: Clock) -> APIRouter:
    """Return the routes about keys. What they change holds in this process when they answer."""
    routes = APIRouter(prefix="/admin/keys")

    @routes.get("")
    async def list_keys() -> dict[str, Any]:
        with _told():
            records = await store.load()
        return {"object": "list", "data": [key_object(record, clock.wall()) for record in records]}

    @routes.post("", status_code=201)
    async def make_key(body: KeyBody, response: Response) -> dict[str, Any]:
        secret = mint()
        with _told():
            record = _record(secret, body, clock.wall())
            await store.add(record)
            await refresh()
        response.headers["cache-control"] = "no-store"
        return {**key_object(record, clock.wall()), "key": secret}

    @routes.delete("/{key_id}")
    async def revoke_key(key_id: str) -> dict[str, Any]:
        with _told():
            record = await store.revoke(key_id, clock.wall()) if key_id.startswith("key_") else None
            if record is None:
                raise PathUnknown("There is no key with this id. GET /admin/keys lists them.")
            await refresh()
        return key_object(record, clock.wall())

    return routes


def key_object(record: KeyRecord, wall: float) -> dict[str, Any]:
    """Return what is told of a key: neither the key itself nor its digest, but who comes in with it."""
    return {"object": "api_key", **described(record, wall), "caller": record.caller().id}


def _record(secret: str, body: KeyBody, wall: float) -> KeyRecord:
    try:
        expires = read_expiry(body.expires, wall=wall) if body.expires is not None else None
    except ValueError as fault:
        raise FieldInvalid(str(fault), param="expires") from None
    return new_record(
        secret,
        name=body.name,
        created=wall,
        models=body.models,
        allowance=body.allowance(),
        priority=body.priority,
        expires=expires,
    )


@contextmanager
def _told() -> Iterator[None]:
    """Tell in the caller's terms what a store or a record has to say."""
    try:
        yield
    except (RecordInvalid, NameAmbiguous) as fault:
        raise FieldInvalid(str(fault)) from None
    except StoreUnusable as fault:
        raise KeysUnchecked(f"The keys cannot be read or written: {fault}", retry_after_s=1) from None
