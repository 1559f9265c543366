"""Clients of five earlier services work unchanged on real vLLM: the same table as on the embedded engine."""

from collections.abc import Iterator

import httpx2
import pytest

from tests.real_vllm.fleet import EMBEDDING_MODEL, MODEL, Fleet, Server, gateway
from tests.wire.documented import CALLS, SESSION_ID, Call, init_session, play, send, settings
from tests.wire.refused import INVALID, REFUSED, Refused, check_refusal


@pytest.fixture(scope="module")
def front(replicas: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a gateway that knows the documented names of routes and models."""
    routes = (("tiny", replicas.first), ("tiny", replicas.second), ("embed", replicas.embeds))
    upstreams = [{"route": route, "url": f"{replica.url}/v1"} for route, replica in routes]
    log = tmp_path_factory.mktemp("documented") / "gateway.log"
    with gateway(log, settings={**settings(MODEL, EMBEDDING_MODEL), "upstreams": upstreams}) as running:
        yield running


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
async def test_call(http: httpx2.AsyncClient, front: Server, call: Call) -> None:
    """A documented call is answered as its documentation says."""
    await play(http, front.url, call)


@pytest.mark.parametrize("refused", INVALID + REFUSED, ids=lambda refused: refused.name)
async def test_refused_call(http: httpx2.AsyncClient, front: Server, refused: Refused) -> None:
    """A documented mistake gets the documented status, in both shapes of an error."""
    body = refused.body.replace(SESSION_ID, await init_session(http, front.url))
    check_refusal(await send(http, front.url, refused.path, body), refused)
