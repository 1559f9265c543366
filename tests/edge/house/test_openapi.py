"""The description of the routes."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.wire.sims import fleet
from vllm_gateway import codec
from vllm_gateway.dialects.operations import build_operations
from vllm_gateway.edge.house.openapi import PAGES

OPERATIONS = build_operations(max_json_depth=64)


async def document() -> Any:  # noqa: ANN401 - JSON is any of its types
    """Return `/openapi.json`."""
    async with fleet() as (_, door):
        return (await door.http.get("/openapi.json")).json()


def test_every_route_that_a_replica_answers_has_a_page() -> None:
    """And no other has."""
    assert PAGES.keys() == OPERATIONS.keys()


@pytest.mark.parametrize("path", sorted(PAGES))
def test_examples_are_accepted(path: str) -> None:
    """By the very code that reads bodies."""
    page = PAGES[path]
    for body in (page.example, *(body for body, _ in page.others.values())):
        assert set(page.required) <= body.keys()
        OPERATIONS[path].read(codec.dumps(body))


def references(value: object) -> Iterator[str]:
    """Give every `$ref` of a document."""
    if isinstance(value, dict):
        yield from (each for name, each in value.items() if name == "$ref")
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from references(inner)


async def test_the_document_is_whole() -> None:
    """Every reference resolves; every operation has a name of its own, a tag, and a good answer or a stream to show."""
    told = await document()
    for reference in references(told):
        assert reference.removeprefix("#/components/schemas/") in told["components"]["schemas"]
    operations = [
        (path, method, operation) for path, methods in told["paths"].items() for method, operation in methods.items()
    ]
    names = [operation["operationId"] for _, _, operation in operations]
    assert len(names) == len(set(names))
    known = {tag["name"] for tag in told["tags"]}
    for path, method, operation in operations:
        assert set(operation["tags"]) <= known
        good = next(answer for status, answer in operation["responses"].items() if status.startswith("2"))
        content = good["content"]
        shown = [each for each in content.values() if "example" in each or "examples" in each]
        assert shown or "text/event-stream" in content or path.endswith(("/cancel", "/rerank", "/score")), (
            path,
            method,
        )


async def test_wrong_bodies_have_the_status_that_they_really_get() -> None:
    """400 on `/v1`, 422 elsewhere."""
    paths = (await document())["paths"]
    assert "400" in paths["/v1/sessions"]["post"]["responses"]
    assert "422" in paths["/init_session"]["post"]["responses"]
    assert not any("422" in each["responses"] for path in paths if path[:4] == "/v1/" for each in paths[path].values())


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
async def test_the_pages_need_no_other_host(page: str) -> None:
    """Scripts and styles come from the gateway itself."""
    async with fleet() as (_, door):
        text = (await door.http.get(page)).text
        sources = re.findall(r'(?:src|href)="([^"]+)"', text)
        assert sources
        for source in sources:
            assert source.startswith("/")
            assert (await door.http.get(source)).status_code == 200


async def test_a_route_that_asks_for_a_key_says_so() -> None:
    """Probes ask for none, and where a session's id is enough there is none to ask for."""
    paths = (await document())["paths"]
    keyed = {path for path in paths if all("security" in each for each in paths[path].values())}
    free = {"/health", "/livez", "/readyz", "/startupz", "/api/healthz"}
    assert paths.keys() - keyed == free | {"/init_session", "/set_system_prompt", "/stop_session"}


async def test_a_route_that_always_streams_tells_of_nothing_else() -> None:
    """A generated client would read it as JSON."""
    paths = (await document())["paths"]
    assert paths["/api/chat/stream"]["post"]["responses"]["200"]["content"].keys() == {"text/event-stream"}
    assert paths["/api/chat"]["post"]["responses"]["200"]["content"].keys() == {"application/json", "text/event-stream"}
