"""The page's files, and its way in and out, over a real socket."""

from pathlib import Path

import httpx2
import pytest

from tests.edge.admin.desk import ADMIN_KEY, Desk, desk
from tests.waiting import PATIENCE_S
from vllm_gateway.edge.admin.ui.sessions import LASTS_S

LOGIN = {"key": ADMIN_KEY}


def visitor(one: Desk) -> httpx2.AsyncClient:
    """Return a browser's way to a page: it keeps cookies, and sends what the page's own scripts do."""
    url = f"http://127.0.0.1:{one.port}"
    headers = {"origin": url, "x-gateway-ui": "1"}
    return httpx2.AsyncClient(base_url=url, headers=headers, trust_env=False, timeout=PATIENCE_S)


async def test_the_page_is_there_for_everybody_with_its_policy(tmp_path: Path) -> None:
    """Without a key; a file that is known is not sent again, and there are no others."""
    async with desk(tmp_path) as one, visitor(one) as http:
        for path in ("/ui", "/ui/index.html", "/ui/app.js", "/ui/style.css", "/ui/icon.svg"):
            reply = await http.get(path)
            assert reply.status_code == 200
            assert reply.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
            assert reply.headers["x-content-type-options"] == "nosniff"
            again = await http.get(path, headers={"if-none-match": reply.headers["etag"]})
            assert (again.status_code, again.content) == (304, b"")
        for path in ("/ui/nothing.js", "/ui/routes.py", "/ui/..%2froutes.py", "/ui/", "/ui/a/b", "/uix"):
            assert (await http.get(path)).status_code in {401, 404}


async def test_another_host_gets_no_page(tmp_path: Path) -> None:
    """A web page whose name was made to mean this machine cannot show ours either."""
    async with desk(tmp_path) as one, visitor(one) as http:
        assert (await http.get("/ui", headers={"host": "rebound.example"})).status_code == 400


async def test_whoever_shows_the_key_is_let_in_for_a_while(tmp_path: Path) -> None:
    """By a cookie that scripts cannot read and other sites cannot make use of; it says nothing of the key."""
    async with desk(tmp_path) as one, visitor(one) as http:
        assert (await http.get("/admin/requests")).status_code == 401
        reply = await http.post("/ui/login", json=LOGIN)
        cookie = reply.headers["set-cookie"]
        assert reply.status_code == 204
        for part in (f"gateway_ui_{one.port}=", "HttpOnly", "SameSite=strict", "Path=/admin", f"Max-Age={LASTS_S}"):
            assert part in cookie
        assert ADMIN_KEY not in cookie
        assert (await http.get("/admin/requests")).status_code == 200
        assert (await http.post("/admin/keys", json={"name": "one"})).status_code == 201
        one.clock.move(LASTS_S)
        assert (await http.get("/admin/requests")).status_code == 401


async def test_logging_out_takes_the_cookie_away(tmp_path: Path) -> None:
    """The browser forgets it."""
    async with desk(tmp_path) as one, visitor(one) as http:
        await http.post("/ui/login", json=LOGIN)
        assert (await http.post("/ui/logout", json={})).status_code == 204
        assert (await http.get("/admin/requests")).status_code == 401


async def test_wrong_keys_are_throttled_as_anywhere(tmp_path: Path) -> None:
    """Together with those that were sent to the admin routes."""
    async with desk(tmp_path) as one, visitor(one) as http:
        wrong = {"authorization": "Bearer wrong-0123456789"}
        statuses = [(await http.post("/ui/login", json={"key": "wrong"})).status_code for _ in range(10)]
        statuses += [(await http.get("/admin/keys", headers=wrong)).status_code for _ in range(10)]
        assert statuses == [401] * 20
        assert (await http.post("/ui/login", json={"key": "wrong"})).status_code == 429
        assert (await http.post("/ui/login", json=LOGIN)).status_code == 204


@pytest.mark.parametrize("header", [{"origin": "http://127.0.0.1:1"}, {"origin": "null"}, {"x-gateway-ui": None}])
async def test_the_cookie_is_no_use_to_another_page(header: dict[str, str | None], tmp_path: Path) -> None:
    """Neither to log in, nor for a look, nor for a change."""
    async with desk(tmp_path) as one, visitor(one) as http:
        await http.post("/ui/login", json=LOGIN)
        for name, value in header.items():
            if value is None:
                del http.headers[name]
            else:
                http.headers[name] = value
        assert (await http.get("/admin/requests")).status_code == 400
        assert (await http.post("/admin/keys", json={"name": "one"})).status_code == 400
        assert (await http.delete("/admin/keys/key_x")).status_code == 400
        assert (await http.post("/ui/login", json=LOGIN)).status_code == 400
        assert (await http.post("/ui/logout", json={})).status_code == 400


@pytest.mark.parametrize("body", [{}, {"key": 5}, {"key": ADMIN_KEY, "more": 1}, {"key": "k" * 5000}, []])
async def test_a_login_is_a_key_and_nothing_else(body: object, tmp_path: Path) -> None:
    """Anything else is refused before it is looked at."""
    async with desk(tmp_path) as one, visitor(one) as http:
        assert (await http.post("/ui/login", json=body)).status_code in {400, 422}
        assert (await http.post("/ui/login", content=b"key=x")).status_code == 415
