"""What the page does without a browser: its session where several processes serve, and its way to the front door."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2

from tests.waiting import PATIENCE_S, until
from tests.wire.operated import ADMIN_KEY, operated
from tests.wire.several import several
from tests.wire.sims import fast

CHAT = "/admin/chat"
HELLO = {"model": "sim-small", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4}


@asynccontextmanager
async def logged_in(url: httpx2.URL) -> AsyncIterator[httpx2.AsyncClient]:
    """Give what a browser is to the gateway once somebody has logged in."""
    headers = {"origin": str(url).rstrip("/"), "x-gateway-ui": "1"}
    async with httpx2.AsyncClient(base_url=url, headers=headers, trust_env=False, timeout=PATIENCE_S) as http:
        assert (await http.post("/ui/login", json={"key": ADMIN_KEY})).status_code == 204
        yield http


async def test_every_worker_knows_who_is_logged_in(tmp_path: Path) -> None:
    """Whichever takes the connection; and what is changed on the page holds in all of them."""
    async with several(tmp_path, workers=2) as run, logged_in(run.admin.base_url) as http:
        apart = {"connection": "close"}
        statuses = [(await http.get("/admin/requests", headers=apart)).status_code for _ in range(20)]
        assert statuses == [200] * 20
        (replica,) = (await http.get("/admin/replicas")).json()["data"]
        drained = await http.post(f"/admin/replicas/{replica['name']}/drain", json={})
        assert drained.json()["draining"]
        told = [(await http.get("/admin/replicas", headers=apart)).json()["data"][0] for _ in range(10)]
        assert all(each["draining"] for each in told)


async def test_the_chat_box_asks_as_the_caller_whose_key_it_has() -> None:
    """Without one it is told what everybody is told; streamed or not, it is the front door's answer."""
    auth = {"mode": "keys", "admin_key": ADMIN_KEY, "client_keys": ["sk-somebody-of-the-tests"]}
    key = {"authorization": "Bearer sk-somebody-of-the-tests"}
    async with operated(fast(), auth=auth) as one, logged_in(one.admin.base_url) as http:
        refused = await http.post(CHAT, json=HELLO)
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_api_key")
        whole = await http.post(CHAT, json=HELLO, headers=key)
        assert whole.json()["object"] == "chat.completion"
        stream = await http.post(CHAT, json=HELLO | {"stream": True}, headers=key)
        assert stream.text.endswith("data: [DONE]\n\n")
        assert stream.headers["content-type"].startswith("text/event-stream")
        callers = [each.caller for each in one.door.parts.recent.ended()]
        assert callers[0] != callers[1] == callers[2]
        large = HELLO | {"messages": [{"role": "user", "content": "x" * 100_000}]}
        refused = await http.post(CHAT, json=large, headers=key)
        assert refused.status_code == 400  # by the replica: it is too long for the model, not for the admin routes
        assert "context length" in refused.json()["error"]["message"]


async def test_a_caller_of_the_chat_box_who_leaves_is_noticed() -> None:
    """As at the front door: nothing goes on for nobody."""
    async with operated(fast(itl_ms=20)) as one, logged_in(one.admin.base_url) as http:
        body = HELLO | {"stream": True, "max_tokens": 2000, "ignore_eos": True}
        async with http.stream("POST", CHAT, json=body) as reply:
            await anext(reply.aiter_raw())
        await until(lambda: not one.door.parts.ledger.live)
        (ended,) = one.door.parts.recent.ended()
        assert str(ended.outcome) == "client_gone"
