"""Sessions in their first shape: begun with a key, then used by whoever knows the id."""

import hmac
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from vllm_gateway.admission.keys.ring import Keys
from vllm_gateway.dialects.sessions import whole_seconds
from vllm_gateway.edge.house.texts import Prompt, Screen
from vllm_gateway.edge.lane import address_of
from vllm_gateway.errors import KeyRefused
from vllm_gateway.sessions.book import Book
from vllm_gateway.sessions.owners import BEARER

_WRONG = "The key in 'vllm_api_key' is not one that is known here."
_EXAMPLE_ID = "sess_0123456789abcdef0123456789abcdef"
SessionId = Annotated[str, Field(min_length=1, max_length=128)]


class InitBody(BaseModel):
    """The key: a client key of the gateway, or the one of its model servers."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"vllm_api_key": "EMPTY"}]})

    vllm_api_key: Annotated[str, Field(max_length=4096)]


class PromptBody(BaseModel):
    """A session, and what its model shall be told first from now on."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"session_id": _EXAMPLE_ID, "system_prompt": "You are brief."}]}
    )

    session_id: SessionId
    system_prompt: Prompt


class StopBody(BaseModel):
    """A session."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"session_id": _EXAMPLE_ID}]})

    session_id: SessionId


class Entrance:
    """Says which keys begin a session."""

    def __init__(self, keys: Keys, upstream_keys: Callable[[], list[bytes]]) -> None:
        """Know the callers' keys, and those with which the replicas of this moment are asked."""
        self._keys = keys
        self._upstream_keys = upstream_keys

    async def check(self, key: str, address: str) -> None:
        """Return when the key is one that is known, or when no keys are asked for.

        Raises:
            GatewayError: it is not known, or that cannot be told.
        """
        upstream_keys = self._upstream_keys()
        is_open = not self._keys.are_asked_for and not upstream_keys
        sent = key.encode("utf-8", "surrogatepass")
        is_upstream = [hmac.compare_digest(sent, each) for each in upstream_keys]
        if is_open or any(is_upstream):
            return
        if not self._keys.are_asked_for:
            raise KeyRefused(_WRONG, param="vllm_api_key")
        try:
            await self._keys.admit_key(key, address)
        except KeyRefused:
            raise KeyRefused(_WRONG, param="vllm_api_key") from None


def first_shape_routes(book: Book, entrance: Callable[[], Entrance], screen: Screen) -> APIRouter:
    """Return the routes; the id of a session is the only credential that they ask for."""
    routes = APIRouter(tags=["sessions, first shape"])

    @routes.post("/init_session", summary="Begin a session")
    async def init_session(body: InitBody, request: Request) -> dict[str, Any]:
        await entrance().check(body.vllm_api_key, address_of(request.scope))
        session = await book.begin(BEARER)
        return {"session_id": session.id, "expires_in": whole_seconds(book.expires_in(session))}

    @routes.post("/set_system_prompt", summary="Say what the model is told first")
    async def set_system_prompt(body: PromptBody) -> dict[str, Any]:
        changes: dict[str, Any] = {"system_prompt": body.system_prompt}
        screen(changes)
        session = await book.change(body.session_id, "", changes, is_bearer=True)
        return {"ok": True, "session_id": session.id, "expires_in": whole_seconds(book.expires_in(session))}

    @routes.post("/stop_session", summary="End a session and delete all that was said")
    async def stop_session(body: StopBody) -> dict[str, Any]:
        await book.end(body.session_id, "", is_bearer=True)
        return {"ok": True, "session_id": body.session_id}

    return routes
