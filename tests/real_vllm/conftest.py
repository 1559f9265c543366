"""Everything in this folder runs on real vLLM servers, through a gateway that was started as a user would start it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx2
import pytest

from tests.real_vllm.fleet import Fleet, Server, fleet, gateway

HERE = Path(__file__).parent
TIMEOUT_S = 400
"""For the first test, which waits until the servers are ready."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder, so that none can be forgotten."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.real_vllm)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(TIMEOUT_S))


@pytest.fixture(scope="session")
def replicas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Return the replicas, for what is asked of them directly."""
    with fleet(tmp_path_factory.mktemp("replicas")) as running:
        yield running


@pytest.fixture(scope="session")
def front(replicas: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return the gateway in front of the replicas."""
    log = tmp_path_factory.mktemp("gateway") / "gateway.log"
    with gateway(log, replicas.first, replicas.second, replicas.embeds) as running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    """Return a plain HTTP client that opens as many connections as it needs."""
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx2.AsyncClient(limits=limits, timeout=60, trust_env=False) as client:
        yield client
