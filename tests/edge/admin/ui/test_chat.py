"""The chat box's way to the front door."""

from pathlib import Path

from tests.edge.admin.desk import ADMIN_KEY, desk
from tests.edge.admin.ui.test_routes import LOGIN, visitor


async def test_the_front_door_is_asked_without_what_is_the_pages(tmp_path: Path) -> None:
    """It gets the body as it is and a caller's key; of the cookie it learns nothing."""
    async with desk(tmp_path) as one, visitor(one) as http:
        await http.post("/ui/login", json=LOGIN)
        body = {"model": "m", "messages": [{"role": "user", "content": "x" * 100_000}]}
        reply = await http.post("/admin/chat", json=body, headers={"authorization": "Bearer a-caller"})
        asked, _, names = reply.content.rpartition(b"|")
        assert reply.headers["x-path"] == "/v1/chat/completions"
        assert asked.startswith(b'{"model":"m"')
        assert b"authorization" in names.split(b",")
        assert not {b"cookie", b"origin"} & set(names.split(b","))


async def test_it_is_for_those_who_are_logged_in(tmp_path: Path) -> None:
    """A key in a header is a caller's there, so the admin key does not open it; another method is none."""
    async with desk(tmp_path) as one, visitor(one) as http:
        assert (await http.post("/admin/chat", json={})).status_code == 401
        right = {"authorization": f"Bearer {ADMIN_KEY}"}
        assert (await http.post("/admin/chat", json={}, headers=right)).status_code == 401
        await http.post("/ui/login", json=LOGIN)
        assert (await http.get("/admin/chat")).status_code == 405
