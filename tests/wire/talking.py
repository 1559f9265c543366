"""What tests do with sessions, over and over: begin one, say something, look at it."""

from typing import Any

import httpx2

from tests.gateway import Gateway
from tests.wire.documented import json_of

SESSIONS = "/v1/sessions"


async def new(door: Gateway, **fields: object) -> str:
    """Begin a session and return its id."""
    return str(json_of(await door.http.post(SESSIONS, json=fields), 201)["id"])


async def say(door: Gateway, session_id: str, message: object = "Hello", **fields: object) -> httpx2.Response:
    """Say something in a session; answers are short unless `fields` say otherwise."""
    body = {"message": message, "max_tokens": 8, **fields}
    return await door.http.post(f"{SESSIONS}/{session_id}/chat", json=body)


async def state(door: Gateway, session_id: str) -> Any:  # noqa: ANN401 - JSON is any of its types
    """Return the session as its owner sees it."""
    return json_of(await door.http.get(f"{SESSIONS}/{session_id}"))


async def history(door: Gateway, session_id: str) -> list[tuple[str, str]]:
    """Return role and content of every message."""
    body = json_of(await door.http.get(f"{SESSIONS}/{session_id}/messages?limit=1000"))
    return [(message["role"], message["content"]) for message in body["data"]]


def refused(reply: httpx2.Response, status: int, *, code: str | None = None, param: str | None = None) -> str:
    """Check a refusal in OpenAI's shape, and return its sentence."""
    error = json_of(reply, status)["error"]
    assert sorted(error) == ["code", "message", "param", "type"]
    assert code in {None, error["code"]}
    assert param in {None, error["param"]}
    return str(error["message"])
