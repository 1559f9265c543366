"""Settings that contradict each other."""

from typing import Any

import pytest

from vllm_gateway.settings import Settings
from vllm_gateway.settings.consistent import contradictions
from vllm_gateway.settings.places import written

_ONE = {"url": "http://10.0.0.1:8000/v1", "route": "tiny"}


def _found(**values: Any) -> dict[str, str]:  # noqa: ANN401 - raw settings
    return {written(place): sentence for place, sentence in contradictions(Settings.model_validate(values))}


def test_ordinary_settings_do_not_contradict() -> None:
    """Replicas, routes and models that fit together are fine."""
    twin = {**_ONE, "url": "http://10.0.0.2:8000"}
    assert _found(upstreams=[_ONE, twin], default_route="tiny", default_model="a", allowed_models=["a", "b"]) == {}
    assert _found(default_route="default") == {}


def test_default_route_must_be_a_route() -> None:
    """A route that no upstream has cannot be the default; the sentence lists the routes."""
    assert "one of: tiny" in _found(upstreams=[_ONE], default_route="big")["default_route"]


def test_default_model_must_be_allowed() -> None:
    """A default that no caller may use is a mistake."""
    assert "allowed_models" in _found(default_model="c", allowed_models=["a"])["default_model"]


def test_one_replica_is_listed_once_per_route() -> None:
    """The same address twice in a route is a mistake, also when it is written in two ways; in two routes it is not."""
    twin = {**_ONE, "url": "http://10.0.0.1:8000/"}
    assert "already a replica" in _found(upstreams=[_ONE, twin])["upstreams[1].url"]
    assert _found(upstreams=[_ONE, {**twin, "route": "other"}]) == {}


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://localhost:8080/v1"),
        ("0.0.0.0", "http://127.0.0.1:8080"),
        ("10.0.0.5", "http://10.0.0.5:8080"),
    ],
)
def test_the_gateway_is_not_its_own_upstream(host: str, url: str) -> None:
    """An upstream at the gateway's own address would send each request round for ever."""
    assert "itself listens" in _found(host=host, upstreams=[{"url": url}])["upstreams[0].url"]


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "http://localhost:8000"), ("10.0.0.5", "http://127.0.0.1:8080"), ("127.0.0.1", "http://h:8080")],
)
def test_other_addresses_may_share_the_port_or_the_host(host: str, url: str) -> None:
    """Another port, or another host with the same port, is another server."""
    assert _found(host=host, upstreams=[{"url": url}]) == {}
