"""The settings, looked at and read again."""

from pathlib import Path

from tests.edge.admin.desk import desk
from vllm_gateway.edge.admin.control import Reloaded
from vllm_gateway.errors import Draining, FieldInvalid


async def test_the_settings_that_count_are_told(tmp_path: Path) -> None:
    """They come as they are handed in; masking secrets is up to whoever hands them in."""
    async with desk(tmp_path) as one:
        reply = await one.http.get("/admin/config")
    assert reply.json() == {"object": "config", "settings": {"port": 8080}}


async def test_a_reload_tells_what_came_of_it(tmp_path: Path) -> None:
    """What counts now, what waits for a restart, and who left."""
    async with desk(tmp_path) as one:
        one.levers.reloaded = Reloaded(["aliases"], ["port"], ["big-1"])
        reply = await one.http.post("/admin/reload", json={})
    assert reply.json() == {
        "object": "reload",
        "changed": ["aliases"],
        "needs_restart": ["port"],
        "removed": ["big-1"],
    }


async def test_a_reload_that_is_refused_says_why(tmp_path: Path) -> None:
    """Wrong settings are the sender's to correct; a gateway that stops reads nothing more."""
    async with desk(tmp_path) as one:
        for refusal, status in ((FieldInvalid("gateway.yaml:3: no"), 400), (Draining("It stops."), 503)):
            one.levers.reloaded = refusal
            reply = await one.http.post("/admin/reload", json={})
            assert (reply.status_code, reply.json()["error"]["message"]) == (status, refusal.message)


async def test_a_web_page_cannot_have_the_settings_read(tmp_path: Path) -> None:
    """Without the announcement of JSON, which no page may send unasked, nothing is done."""
    async with desk(tmp_path) as one:
        assert (await one.http.post("/admin/reload")).status_code == 415
