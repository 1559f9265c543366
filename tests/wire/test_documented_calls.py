"""Clients of five earlier services work unchanged: their documented calls, on the embedded engine."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio

from tests.gateway import Gateway, gateway
from tests.wire.documented import CALLS, SESSION_ID, Call, init_session, play, send, settings
from tests.wire.refused import INVALID, REFUSED, Refused, check_refusal
from vllm_gateway.settings.model import Upstream
from vllm_gateway.sim import SimSettings, start

GENERATES = SimSettings(ttft_ms=0, ttft_ms_per_1k=0, itl_ms=0, embedding_models=())
EMBEDS = SimSettings(models=())


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def door() -> AsyncIterator[Gateway]:
    """Run a gateway before two replicas that generate and one that embeds, as on the real vLLM."""
    async with AsyncExitStack() as stack:
        upstreams = []
        for route, kind in (("tiny", GENERATES), ("tiny", GENERATES), ("embed", EMBEDS)):
            sim = await start(kind)
            stack.push_async_callback(sim.close)
            upstreams.append(Upstream(url=sim.url, route=route))
        yield await stack.enter_async_context(gateway(*upstreams, **settings("sim-small", "sim-embed")))


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
async def test_call(door: Gateway, call: Call) -> None:
    """A documented call is answered as its documentation says."""
    await play(door.http, door.url, call)


@pytest.mark.parametrize("refused", INVALID + REFUSED, ids=lambda refused: refused.name)
async def test_refused_call(door: Gateway, refused: Refused) -> None:
    """A documented mistake gets the documented status, in both shapes of an error."""
    body = refused.body.replace(SESSION_ID, await init_session(door.http, door.url))
    check_refusal(await send(door.http, door.url, refused.path, body), refused)


async def test_every_documented_call_is_in_the_openapi_document(door: Gateway) -> None:
    """Each path is described with its method, and each body with an example; the two pages show the document."""
    document = (await door.http.get("/openapi.json")).json()
    pages = [await door.http.get(path) for path in ("/docs", "/redoc")]
    assert {page.status_code for page in pages} == {200}
    assert all("/openapi.json" in page.text for page in pages)
    described = {(path, method.upper()) for path, methods in document["paths"].items() for method in methods}
    assert {(call.path, call.method) for call in CALLS} <= described
    posted = {call.path for call in CALLS if call.body}
    assert [path for path in sorted(posted) if not _has_example(document, path)] == []


def _has_example(document: dict[str, Any], path: str) -> bool:
    """Say whether a body at `path` has an example, in its place or where its schema is described."""
    content = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    schema = content["schema"].get("$ref", "").rpartition("/")[2]
    return any("example" in name for name in (*content, *document["components"]["schemas"].get(schema, {})))
