"""The admin application, put together."""

from pathlib import Path

from tests.edge.admin.desk import desk


async def test_its_routes_are_there_and_no_others(tmp_path: Path) -> None:
    """Keys, replicas, settings and what goes on; no documentation, which would tell of it."""
    async with desk(tmp_path) as one:
        for path in ("/admin/keys", "/admin/requests", "/admin/replicas", "/admin/config", "/metrics"):
            assert (await one.http.get(path)).status_code == 200
        for path in ("/docs", "/redoc", "/openapi.json", "/health"):
            assert (await one.http.get(path)).status_code == 404
