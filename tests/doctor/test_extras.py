"""Libraries that only some settings need."""

from vllm_gateway.doctor.extras import look_at_extras, needed
from vllm_gateway.doctor.finding import Level
from vllm_gateway.settings import Settings

ALL = Settings.model_validate(
    {
        "state": {"redis_url": "redis://h", "database_url": "postgresql://h/d"},
        "cache": {"backend": "redis"},
        "upstreams": [{"url": "http://h:1", "tokenizer_path": "/t"}],
        "rules": {"deny_patterns": ["x"]},
        "tracing": {"enabled": True},
    }
)


def test_what_is_needed_and_missing_is_a_failure_with_its_command() -> None:
    """What only some commands need is told, and no failure."""
    found = list(look_at_extras(ALL, is_there=lambda _: False))
    assert [each.level for each in found] == [Level.FAIL] * 5 + [Level.OK] * 2
    assert "pip install 'vllm-gateway[redis]'" in found[0].cure


def test_what_is_installed_is_well() -> None:
    """The setting that needs it is named."""
    found = list(look_at_extras(ALL, is_there=lambda _: True))
    assert {each.level for each in found} == {Level.OK}
    assert "cache.backend: redis" in found[0].says


def test_the_defaults_need_none() -> None:
    """The base install does for them."""
    assert list(needed(Settings())) == []


def test_without_being_told_it_looks_for_itself() -> None:
    """The environment of these tests has all of them."""
    assert {each.level for each in look_at_extras(ALL)} == {Level.OK}
