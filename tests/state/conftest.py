"""Redis in each of its forms."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sessions.stores.conftest import postgres_url as postgres_url  # noqa: PLC0414 - a fixture of this folder too
from tests.sessions.stores.conftest import redis_url as redis_url  # noqa: PLC0414 - likewise
from tests.state import redis_rig
from tests.state.redis_rig import Cluster, Watched


@pytest.fixture
def watched_redis() -> Iterator[Watched]:
    """Run a server, its replica and their Sentinel, for a test that may do with them as it likes."""
    with redis_rig.watched() as rig:
        yield rig


@pytest.fixture
def redis_cluster() -> Iterator[Cluster]:
    """Run a cluster, for a test that may do with it as it likes."""
    with redis_rig.cluster() as rig:
        yield rig


@pytest.fixture(params=["server", "socket", "TLS", "Sentinel", "cluster"])
def any_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give an address of each kind."""
    match request.param:
        case "server":
            yield request.getfixturevalue("redis_url")
        case "socket":
            with redis_rig.on_socket(tmp_path) as url:
                yield url
        case "TLS":
            with redis_rig.encrypted(tmp_path) as url:
                yield f"{url}?ssl_ca_certs={tmp_path}/ca.pem"
        case "Sentinel":
            with redis_rig.watched() as rig:
                yield rig.url
        case _:
            with redis_rig.cluster() as nodes:
                yield nodes.url
