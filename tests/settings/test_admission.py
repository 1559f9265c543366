"""The settings of who may call, how much, what, and in which order."""

from typing import Any

import pytest
from pydantic import ValidationError

from vllm_gateway.settings import Settings
from vllm_gateway.settings.admission import Limits, LimitSet, Queue, Rules


def test_nothing_is_limited_by_itself() -> None:
    """Without settings nobody is refused for having asked too often; what protects the replicas is there."""
    limits = Limits()
    assert {name: getattr(limits, name) for name in LimitSet.model_fields} == dict.fromkeys(LimitSet.model_fields, 0)
    assert (limits.total, limits.models, limits.max_tokens_cap) == (LimitSet(), {}, 0)
    assert (Rules().remote_media, Rules().deny_words, Rules().max_logprobs, Queue().size) == (False, (), 20, 1000)


def test_models_and_the_whole_have_limits_of_their_own() -> None:
    """Every limit that a caller can have, a model and all callers together can have too."""
    settings = Settings.model_validate(
        {"limits": {"models": {"m": {"tokens_per_minute": 7}}, "total": {"concurrent": 3}}}
    )
    assert settings.limits.models["m"].tokens_per_minute == 7
    assert settings.limits.total.concurrent == 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"admin": {"host": "0.0.0.0"}},
        {"auth": {"admin_key": "short"}},
        {"limits": {"concurrent": -1}},
        {"limits": {"requests_per_minute": 1_000_000_001}},
        {"limits": {"bytes_per_token": 0}},
        {"rules": {"max_choices": 0}},
        {"queue": {"wait_s": 0}},
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    """An admin listener that the network reaches, a key that can be guessed, numbers without meaning."""
    with pytest.raises(ValidationError):
        Settings.model_validate(wrong)
