"""`/ui`: the page's files, and its way in and out. These alone answer without the admin key."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from vllm_gateway.edge.admin.admin_key import AdminKey
from vllm_gateway.edge.admin.ui.files import HEADERS, INDEX, page_files
from vllm_gateway.edge.admin.ui.origin import check_own_page, cookie_name
from vllm_gateway.edge.admin.ui.sessions import LASTS_S, Sessions
from vllm_gateway.edge.lane import address_of
from vllm_gateway.errors import PathUnknown

COOKIE_PATH = "/admin"
"""Browsers send the cookie there only."""
_WRONG = "This is not the admin key. It is the one in auth.admin_key (GATEWAY_AUTH__ADMIN_KEY)."


class LoginBody(BaseModel):
    """What somebody shows to get in."""

    model_config = ConfigDict(extra="forbid")

    key: Annotated[str, Field(max_length=4096)]


def ui_routes(admin_key: AdminKey, sessions: Sessions) -> APIRouter:
    """Return the routes of the page."""
    routes, known = APIRouter(prefix="/ui"), page_files()

    @routes.post("/login", status_code=204)
    async def log_in(request: Request, body: LoginBody, response: Response) -> None:
        headers = request.scope["headers"]
        check_own_page(request.method, headers)
        admin_key.check([body.key.encode()], address_of(request.scope), _WRONG)
        _set_cookie(response, cookie_name(headers), sessions.open(), LASTS_S)

    @routes.post("/logout", status_code=204)
    async def log_out(request: Request, response: Response) -> None:
        check_own_page(request.method, request.scope["headers"])
        _set_cookie(response, cookie_name(request.scope["headers"]), "", 0)

    @routes.get("")
    @routes.get("/{name}")
    async def give_file(request: Request, name: str = INDEX) -> Response:
        found = known.get(name)
        if found is None:
            raise PathUnknown("There is no such page. The page is at /ui.")
        headers = {**HEADERS, "etag": found.etag}
        if request.headers.get("if-none-match") == found.etag:
            return Response(status_code=304, headers=headers)
        return Response(found.content, headers=headers, media_type=found.media_type)

    return routes


def _set_cookie(response: Response, name: str, value: str, lasts_s: int) -> None:
    response.set_cookie(name, value, max_age=lasts_s, path=COOKIE_PATH, httponly=True, samesite="strict")
    response.headers["cache-control"] = "no-store"
