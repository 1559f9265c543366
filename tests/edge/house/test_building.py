"""The house, put together."""

from tests.edge.house.replicas import serving
from tests.gateway import gateway
from tests.scripted import scripted
from vllm_gateway.dialects.operations import build_operations


async def test_the_documentation_is_there() -> None:
    """The OpenAPI description and both pages over it are served."""
    async with scripted(serving("a")) as one, gateway(one.url) as door:
        assert (await door.http.get("/docs")).status_code == 200
        assert (await door.http.get("/redoc")).status_code == 200
        assert "/v1/models" in (await door.http.get("/openapi.json")).json()["paths"]


async def test_every_route_is_described() -> None:
    """Those that a replica answers, and those of the house."""
    async with scripted(serving("a")) as one, gateway(one.url) as door:
        paths = (await door.http.get("/openapi.json")).json()["paths"]
    assert build_operations(max_json_depth=64).keys() <= paths.keys()
    assert {
        "/health",
        "/v1/sessions",
        "/init_session",
        "/v1/responses/{response_id}",
        "/api/models",
        "/metrics",
    } <= paths.keys()
