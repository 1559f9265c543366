"""Settings that contradict each other."""

from typing import Any

import pytest

from vllm_gateway.settings import Settings
from vllm_gateway.settings.consistent import contradictions
from vllm_gateway.settings.places import written

_ONE = {"url": "http://10.0.0.1:8000/v1", "route": "tiny"}


_KEY, _OTHER_KEY = "sk-0123456789", "sk-9876543210"


def _found(**values: Any) -> dict[str, str]:  # noqa: ANN401 - raw settings
    return {written(place): sentence for place, sentence in contradictions(Settings.model_validate(values))}


def test_ordinary_settings_do_not_contradict() -> None:
    """Replicas, routes and models that fit together are fine."""
    twin = {**_ONE, "url": "http://10.0.0.2:8000"}
    assert _found(upstreams=[_ONE, twin], default_route="tiny", default_model="a", allowed_models=["a", "b"]) == {}
    assert _found(default_route="default") == {}


def test_an_accelerator_is_shared_by_those_that_can_be_woken() -> None:
    """And by one process only, which knows who is awake."""
    one = {**_ONE, "accelerator": "gpu-0"}
    able = {**one, "wake_on_request": True}
    assert "for ever" in _found(upstreams=[one])["upstreams[0].accelerator"]
    assert _found(upstreams=[able]) == {}
    assert "set workers to 1" in _found(upstreams=[able], workers=2)["upstreams[0].accelerator"]


def test_a_certificate_and_its_key_go_together() -> None:
    """Each without the other is named, with what is missing."""
    assert "edge.tls_key" in _found(edge={"tls_certificate": "a.pem"})["edge.tls_certificate"]
    assert "edge.tls_certificate" in _found(edge={"tls_key": "a.key"})["edge.tls_key"]
    assert _found(edge={"tls_certificate": "a.pem", "tls_key": "a.key"}) == {}


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


def test_keys_may_be_made_later() -> None:
    """The mode `keys` needs no key in the settings: they are made while the gateway runs."""
    assert _found(auth={"mode": "keys"}) == {}
    assert _found(auth={"mode": "keys", "client_keys": [_KEY, _OTHER_KEY]}) == {}


def test_counting_in_redis_needs_its_address() -> None:
    """Limits that are counted in Redis need to know where it is."""
    assert "state.redis_url" in _found(limits={"backend": "redis"})["limits.backend"]
    assert _found(limits={"backend": "redis"}, state={"redis_url": "redis://h"}) == {}


def test_what_is_given_unasked_may_be_asked_for() -> None:
    """A default above the cap would be given to those who name no number, and refused to those who do."""
    assert (
        "max_tokens_cap" in _found(limits={"max_tokens_cap": 8, "default_max_tokens": 9})["limits.default_max_tokens"]
    )
    assert _found(limits={"max_tokens_cap": 8, "default_max_tokens": 8}) == {}


def test_two_listeners_need_two_ports() -> None:
    """The admin listener cannot be where the gateway is; without a key there is none."""
    key = {"admin_key": "0123456789abcdef"}
    assert "choose another" in _found(auth=key, port=9000, admin={"port": 9000})["admin.port"]
    assert _found(port=9000, admin={"port": 9000}) == {}
    assert _found(auth=key) == {}


def test_keys_that_nobody_asks_for_are_a_mistake() -> None:
    """Keys without a mode look like a shut door and are an open one; saying `none` as well is meant."""
    assert "auth.mode" in _found(auth={"client_keys": [_KEY]})["auth.client_keys"]
    assert _found(auth={"client_keys": [_KEY], "mode": "none"}) == {}


def test_a_key_is_listed_once() -> None:
    """The same key twice is a mistake; the second place is named."""
    assert list(_found(auth={"mode": "keys", "client_keys": [_KEY, _OTHER_KEY, _KEY]})) == ["auth.client_keys[2]"]


@pytest.mark.parametrize(
    ("backend", "setting", "url"),
    [("redis", "redis_url", "redis://h"), ("postgres", "database_url", "postgresql://h/name")],
)
def test_a_shared_store_needs_its_address(backend: str, setting: str, url: str) -> None:
    """Conversations in a server need its address; the address alone is no mistake."""
    assert f"state.{setting}" in _found(session={"backend": backend})["session.backend"]
    assert _found(session={"backend": backend}, state={setting: url}) == {}
    assert _found(state={setting: url}) == {}


def test_only_sqlite_has_a_file() -> None:
    """A path with another backend would never be used."""
    assert "sqlite" in _found(session={"backend": "memory", "path": "s.sqlite"})["session.path"]
    assert _found(session={"path": "s.sqlite"}) == {}


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        ({"limits": {"tokens_per_day": 5}}, "limits.tokens_per_day"),
        ({"limits": {"total": {"concurrent": 5}}}, "limits.total.concurrent"),
        ({"limits": {"models": {"m": {"requests_per_second": 5}}}}, "limits.models.m.requests_per_second"),
        ({"session": {"backend": "memory"}}, "session.backend"),
        ({"isolate_prefix_cache": True}, "isolate_prefix_cache"),
        ({"upstreams": [{**_ONE, "max_concurrent": 4}]}, "upstreams[0].max_concurrent"),
    ],
)
def test_several_workers_refuse_what_each_would_count_for_itself(settings: dict[str, Any], place: str) -> None:
    """What would be wrong is named, with what helps; one worker may have it."""
    assert "workers to 1" in _found(workers=2, **settings)[place]
    assert _found(**settings) == {}


def test_several_workers_may_have_what_they_share() -> None:
    """Limits in Redis, conversations in a store, a secret that all know: nothing is refused."""
    shared = {
        "limits": {"backend": "redis", "tokens_per_day": 5},
        "state": {"redis_url": "redis://h"},
        "isolate_prefix_cache": True,
        "tenant_secret": "a-secret-of-all",
    }
    assert _found(workers=2, **shared) == {}


def test_everything_that_workers_cannot_do_is_named_at_once() -> None:
    """Nobody has to start three times to find out."""
    assert len(_found(workers=2, limits={"concurrent": 1}, session={"backend": "memory"})) == 2
