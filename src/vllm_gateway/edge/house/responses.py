"""The responses that the gateway keeps: read again, and deleted."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query

from vllm_gateway.callers import Caller
from vllm_gateway.dialects.kept_responses import listed, page
from vllm_gateway.edge.house.callers import Admit
from vllm_gateway.errors import FieldInvalid
from vllm_gateway.sessions.responses import Responses


def response_routes(responses: Responses, admit: Admit) -> APIRouter:
    """Return the routes about kept responses; a caller gets at its own only."""
    routes = APIRouter(prefix="/v1/responses", tags=["responses"])
    Who = Annotated[Caller, Depends(admit)]  # noqa: N806 - a type

    @routes.get("/{response_id}", summary="A response that was stored")
    async def show(
        caller: Who,
        response_id: str,
        stream: Annotated[bool, Query()] = False,  # noqa: FBT002 - a query parameter
    ) -> dict[str, Any]:
        if stream:
            raise FieldInvalid("A stored response cannot be streamed again; leave out 'stream'.", param="stream")
        return (await responses.find(response_id, caller.id)).response

    @routes.get("/{response_id}/input_items", summary="What was said to get it, page by page")
    async def input_items(
        caller: Who,
        response_id: str,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        after: str | None = None,
        order: Literal["asc", "desc"] = "desc",
    ) -> dict[str, Any]:
        kept = await responses.find(response_id, caller.id)
        every = listed(kept.input, kept.id)
        items, has_more = page(every, limit=limit, after=after, descending=order == "desc")
        return {
            "object": "list",
            "data": items,
            "first_id": items[0]["id"] if items else None,
            "last_id": items[-1]["id"] if items else None,
            "has_more": has_more,
        }

    @routes.post("/{response_id}/cancel", summary="Refused: no response runs in the background")
    async def cancel(caller: Who, response_id: str) -> None:
        await responses.find(response_id, caller.id)
        raise FieldInvalid("Only a background response can be cancelled, and there are none here.", param="response_id")

    @routes.delete("/{response_id}", summary="Delete a stored response")
    async def forget(caller: Who, response_id: str) -> dict[str, Any]:
        await responses.forget(response_id, caller.id)
        return {"id": response_id, "object": "response", "deleted": True}

    return routes
