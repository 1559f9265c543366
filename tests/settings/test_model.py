"""The model of the settings."""

from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from vllm_gateway.settings import Settings, Upstream
from vllm_gateway.settings.admission import Auth, Limits
from vllm_gateway.settings.model import Session
from vllm_gateway.settings.places import fields


def test_defaults_are_those_of_the_contract() -> None:
    """Settings without any source are what the contract's section 6 says."""
    settings = Settings()
    assert (settings.host, settings.port, settings.workers, settings.upstreams) == ("127.0.0.1", 8080, 1, ())
    assert settings.limits.max_body_bytes == 10 * 1024 * 1024
    assert settings.timeouts.model_dump() == {
        "connect_s": 5,
        "request_head_s": 10,
        "request_body_s": 30,
        "first_token_s": 60,
        "write_s": 0,
        "idle_s": 30,
        "total_s": 600,
    }
    assert (settings.retry.attempts, settings.retry.budget_percent) == (3, 20)
    assert (settings.drain_s, settings.sse_heartbeat_s, settings.auth.mode) == (30, 15, "none")


def test_settings_never_change() -> None:
    """A field of loaded settings cannot be set."""
    with pytest.raises(ValidationError):
        Settings().port = 1  # type: ignore[misc] # the point of the test


def test_secrets_do_not_show_in_the_text_of_settings() -> None:
    """A key is not part of what `repr` and `str` give."""
    settings = Settings(upstreams=(Upstream(url="http://h", api_key=SecretStr("sesame")),))
    assert "sesame" not in repr(settings) + str(settings)


def test_empty_secret_is_no_secret() -> None:
    """An empty key counts as none, so that `${KEY:-}` can be written."""
    assert Auth.model_validate({"admin_key": ""}).admin_key is None


def test_empty_addresses_of_stores_are_none() -> None:
    """`${REDIS_URL:-}` without the variable is no address."""
    state = Settings.model_validate({"state": {"redis_url": "", "database_url": ""}}).state
    assert (state.redis_url, state.database_url) == (None, None)


@pytest.mark.parametrize(("tokens", "is_valid"), [(0, True), (63, False), (64, True), (1_000_000, True), (-1, False)])
def test_a_context_has_room_or_the_model_decides(tokens: int, is_valid: bool) -> None:
    """The bound of a conversation is 0, or large enough for a turn."""
    if is_valid:
        assert Session(max_context_tokens=tokens).max_context_tokens == tokens
    else:
        with pytest.raises(ValidationError):
            Session(max_context_tokens=tokens)


@pytest.mark.parametrize("value", [True, False])
def test_true_is_no_number(value: bool) -> None:
    """`true` where a number is meant is refused, not read as 1."""
    with pytest.raises(ValidationError):
        Limits.model_validate({"max_json_depth": value})
    with pytest.raises(ValidationError):
        Settings.model_validate({"drain_s": value})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1, "1e400"])
def test_times_are_finite_and_not_negative(value: object) -> None:
    """A time that is no length of time is refused."""
    with pytest.raises(ValidationError):
        Settings.model_validate({"timeouts": {"total_s": value}})


def test_log_level_is_read_in_any_case() -> None:
    """`INFO`, as most programs write it, is the level `info`."""
    assert Settings.model_validate({"log_level": "INFO"}).log_level == "info"


@pytest.mark.parametrize("url", ["http://h:8000", "http://h:8000/", "http://h:8000/v1", "http://h:8000/v1/"])
def test_root_of_an_upstream_has_no_version(url: str) -> None:
    """However the address is written, `root` is the same."""
    assert Upstream(url=url).root == "http://h:8000"


@pytest.mark.parametrize("place", [place for place, _ in fields()], ids=str)
def test_every_field_says_what_it_does(place: tuple[str | int, ...]) -> None:
    """Each field has a docstring that is a sentence."""
    description = dict(fields())[place].description
    assert description is not None
    assert description.rstrip().endswith((".", ")."))


def test_every_number_is_bounded() -> None:
    """The schema gives each number a lowest and a highest value."""
    numbers = [part for part in _parts(Settings.model_json_schema()) if part.get("type") in {"integer", "number"}]
    assert len(numbers) > 15
    for number in numbers:
        assert {"minimum", "exclusiveMinimum"} & number.keys(), number
        assert "maximum" in number, number


def _parts(schema: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - JSON is any of its types
    """Return every object inside a JSON value."""
    if isinstance(schema, list):
        return [part for item in schema for part in _parts(item)]
    if isinstance(schema, dict):
        return [schema, *(part for item in schema.values() for part in _parts(item))]
    return []
