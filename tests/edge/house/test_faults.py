"""Errors of the house, those of its framework included."""

import logging

import httpx2
import pytest
from fastapi import FastAPI

from tests.edge.house.replicas import serving
from tests.gateway import gateway
from tests.scripted import scripted
from tests.wire.sims import fleet
from vllm_gateway.dialects.openai import OpenAI
from vllm_gateway.dialects.plain import Plain
from vllm_gateway.edge.house.faults import PLAIN_PATHS, answer_faults, dialect_of


async def test_unknown_paths_and_methods_are_told_in_openais_shape() -> None:
    """The framework's own errors do not reach anybody."""
    async with scripted(serving("a")) as one, gateway(one.url) as door:
        unknown = await door.http.get("/what")
        wrong = await door.http.post("/health")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "not_found")
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (405, "method_not_allowed")
    assert wrong.headers["allow"] == "GET"


def test_each_route_has_the_errors_of_its_clients() -> None:
    """Those of the first shape and below `/api` have `detail` as well."""
    assert all(type(dialect_of(path)) is Plain for path in PLAIN_PATHS)
    assert type(dialect_of("/v1/sessions")) is type(dialect_of("/health")) is OpenAI


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 100_000])
async def test_a_body_that_is_no_json_is_refused(body: bytes) -> None:
    """With 400 on `/v1`, with 422 where clients look for `detail`; however deep it is."""
    json = {"content-type": "application/json"}
    async with fleet() as (_, door):
        first = await door.http.post("/v1/sessions", content=body, headers=json)
        second = await door.http.post("/init_session", content=body, headers=json)
    assert (first.status_code, second.status_code) == (400, 422)
    assert first.json()["error"]["code"] == "invalid_json"
    assert second.json()["detail"][0]["type"] == "json_invalid"


async def test_half_characters_cost_nothing_but_a_refusal() -> None:
    """Python's own JSON reader lets them in."""
    json = {"content-type": "application/json"}
    async with fleet() as (_, door):
        for path, field in (("/v1/sessions", b"title"), ("/init_session", b"vllm_api_key")):
            reply = await door.http.post(path, content=b'{"%s": "\\ud800"}' % field, headers=json)
            assert reply.status_code in {200, 201, 400, 422}, reply.text
            assert reply.status_code < 500


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/sessions", "GET, POST"),
        ("/v1/sessions/x", "DELETE, GET, PATCH"),
        ("/v1/responses/x", "DELETE, GET"),
        ("/init_session", "POST"),
    ],
)
async def test_every_method_of_a_path_is_named(path: str, allowed: str) -> None:
    """Not only those of the route that was found first."""
    async with fleet() as (_, door):
        reply = await door.http.put(path, json={})
    assert (reply.status_code, reply.headers["allow"]) == (405, allowed)
    assert f"This route takes {allowed} only." in reply.text


async def test_a_number_that_json_cannot_hold_is_refused() -> None:
    """It is not sent back."""
    async with fleet() as (_, door):
        reply = await door.http.post("/init_session", json={"vllm_api_key": 10**24})
    assert reply.status_code == 422
    assert reply.json()["detail"][0]["input"] is None


@pytest.mark.parametrize("path", ["/v1/sessions", "/init_session"])
async def test_a_defect_is_told_in_the_routes_shape(path: str, caplog: pytest.LogCaptureFixture) -> None:
    """With the id that stands in the log, and without a word of what went wrong."""
    house = FastAPI()
    answer_faults(house)

    @house.get(path)
    async def broken() -> None:
        raise RuntimeError("a secret")

    caplog.set_level(logging.ERROR)
    transport = httpx2.ASGITransport(house, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://house") as client:
        reply = await client.get(path)
    assert (reply.status_code, reply.json()["error"]["code"]) == (500, "internal_error")
    assert ("detail" in reply.json()) == (path in PLAIN_PATHS)
    assert "secret" not in reply.text
    assert reply.headers["x-request-id"] in caplog.text
