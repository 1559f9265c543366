"""Parts that are made of the settings."""

import pytest

from vllm_gateway.clock import HandClock
from vllm_gateway.serve.making import make_table, make_turnstile
from vllm_gateway.settings.model import Settings, Upstream

ONE = Upstream(url="http://127.0.0.1:9")


@pytest.mark.parametrize(
    ("settings", "upstream", "is_there"),
    [
        ({}, ONE, False),
        ({"queue": {"size": 5}}, ONE, False),
        ({"queue": {"replica_waiting": 2}}, ONE, True),
        ({}, ONE.model_copy(update={"max_concurrent": 3}), True),
    ],
)
def test_there_is_a_turnstile_only_before_replicas_that_can_be_full(
    settings: dict[str, object], upstream: Upstream, is_there: bool
) -> None:
    """Where none ever is, nothing stands in the way."""
    made = make_turnstile(Settings.model_validate(settings), [upstream], HandClock())
    assert (made is not None) is is_there


def test_the_table_knows_what_the_settings_say_of_models() -> None:
    """Aliases, the allow-list, and whether a name may mean several."""
    table = make_table(Settings(aliases={"a": "b"}, allowed_models=("a",), ambiguous_model="reject"))
    assert (table.aliases, table.is_allowed("c"), table.rejects_ambiguous) == ({"a": "b"}, False, True)
