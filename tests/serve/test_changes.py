"""What a reload changes, and what waits for a restart."""

from typing import Any

import pytest

from vllm_gateway.serve.changes import AT_START, differing, effective, waits_for_restart
from vllm_gateway.settings.model import Settings
from vllm_gateway.settings.places import fields, shape_at, written

OLD: dict[str, Any] = {"aliases": {"a": "b"}, "limits": {"requests_per_minute": 5}, "auth": {"admin_key": "0" * 16}}


def settings(**changes: Any) -> Settings:  # noqa: ANN401 - any setting
    """Return settings that differ from the others in this."""
    return Settings.model_validate({**OLD, **changes})


@pytest.mark.parametrize(
    ("changes", "places"),
    [
        ({}, []),
        ({"port": 1}, ["port"]),
        ({"aliases": {"a": "c"}}, ["aliases"]),
        (
            {"limits": {"requests_per_minute": 6, "total": {"concurrent": 1}}},
            [
                "limits.requests_per_minute",
                "limits.total.concurrent",
            ],
        ),
        ({"upstreams": [{"url": "http://h"}]}, ["upstreams"]),
        ({"auth": {"admin_key": "1" * 16}}, ["auth.admin_key"]),
    ],
)
def test_every_setting_that_differs_is_found(changes: dict[str, Any], places: list[str]) -> None:
    """Sections are looked into, lists and mappings count as one, and secrets are compared."""
    assert [written(place) for place in differing(settings(), settings(**changes))] == places


def test_what_is_read_at_the_start_stays_until_then() -> None:
    """Everything else counts; what waits is found again next time."""
    wanted = settings(
        port=1, default_model="m", session={"ttl_s": 9, "reply_tokens": 7}, limits={"backend": "redis", "per": "ip"}
    )
    counts = effective(settings(), wanted)
    assert (counts.port, counts.session.ttl_s, counts.limits.backend) == (8080, 600, "memory")
    assert (counts.default_model, counts.session.reply_tokens, counts.limits.per) == ("m", 7, "ip")
    left = [written(place) for place in differing(counts, wanted)]
    assert left == ["port", "limits.backend", "session.ttl_s"]


@pytest.mark.parametrize("place", AT_START)
def test_what_waits_for_a_restart_is_a_setting(place: tuple[str, ...]) -> None:
    """A name that nothing has would let a change pass for taken over."""
    assert shape_at(place) is not None
    assert waits_for_restart((*place, "below"))


def test_what_callers_and_replicas_notice_can_change_while_the_gateway_runs() -> None:
    """Whole sections are there to be turned while there is traffic."""
    live = {str(place[0]) for place, _ in fields() if not waits_for_restart(place)}
    wanted = "upstreams aliases allowed_models limits rules retry hedge resume timeouts fallbacks balance routes probe"
    assert live >= {*wanted.split(), "log_level", "drain_s", "cors_origins", "queue", "session", "context_fallbacks"}
