"""A gateway, put together."""

from pathlib import Path

from tests.house.test_command import python
from vllm_gateway.serve.assembly import build
from vllm_gateway.settings.model import Session, Settings, Upstream


async def test_everything_is_closed_again() -> None:
    """What was opened is closed in reverse, and a second gateway can be opened in its place."""
    settings = Settings(upstreams=(Upstream(url="http://127.0.0.1:9"),), session=Session(backend="memory"))
    for _ in range(2):
        async with build(settings) as parts:
            assert [replica.name for replica in parts.pool.replicas] == ["default-1"]
            assert parts.admin is None


async def test_without_replicas_there_is_an_engine() -> None:
    """The embedded engine serves for as long as the gateway does."""
    async with build(Settings(session=Session(backend="memory"))) as parts:
        (replica,) = parts.pool.replicas
        assert replica.is_usable
        assert "sim-small" in replica.models


def test_what_is_not_asked_for_is_not_loaded(tmp_path: Path) -> None:
    """With all that a gateway keeps kept in files: no SQLAlchemy, no engine, nothing for terminals."""
    ran = python(
        "-c",
        "import asyncio, sys\n"
        "from vllm_gateway.serve.assembly import build\n"
        "from vllm_gateway.settings.model import Session, Settings, Upstream, Usage\n"
        "from vllm_gateway.telemetry.logs.form import renderer, set_up\n"
        "set_up('info', renderer('json', sys.stderr), sys.stderr)\n"
        "async def main():\n"
        "    async with build(Settings(upstreams=(Upstream(url='http://127.0.0.1:9'),),\n"
        f"        usage=Usage(backend='sqlite', path={str(tmp_path / 'u.sqlite')!r}),\n"
        f"        session=Session(path={str(tmp_path / 's.sqlite')!r}))):\n"
        "        print(*sys.modules)\n"
        "asyncio.run(main())",
    )
    loaded = set(ran.stdout.split())
    assert "vllm_gateway.telemetry.usage.sqlite" in loaded, ran.stderr
    unwanted = {"sqlalchemy", "aiosqlite", "greenlet", "redis", "rich", "structlog", "textual", "vllm_gateway.sim"}
    assert loaded & unwanted == set()
