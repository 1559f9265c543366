"""A gateway, put together."""

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
