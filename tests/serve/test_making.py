"""Parts that are made of the settings."""

import pytest

from vllm_gateway.clock import HandClock
from vllm_gateway.serve.making import can_be_full, is_embedded, make_table
from vllm_gateway.settings.model import Settings, Upstream
from vllm_gateway.upstream.pool import Pool

ONE = Upstream(url="http://127.0.0.1:9")


@pytest.mark.parametrize(
    ("settings", "upstream", "is_so"),
    [
        ({}, ONE, False),
        ({"queue": {"size": 5}}, ONE, False),
        ({"queue": {"replica_waiting": 2}}, ONE, True),
        ({}, ONE.model_copy(update={"max_concurrent": 3}), True),
    ],
)
def test_requests_wait_only_for_replicas_that_can_be_full(
    settings: dict[str, object], upstream: Upstream, is_so: bool
) -> None:
    """Where none ever is, nothing stands in the way."""
    replicas = Pool([upstream], clock=HandClock(), connect_s=1).replicas
    assert can_be_full(Settings.model_validate(settings), replicas) is is_so


def test_the_embedded_engine_is_for_those_who_name_nobody() -> None:
    """A file may name somebody any time."""
    assert is_embedded(Settings())
    assert not is_embedded(Settings(upstreams=(ONE,)))
    assert not is_embedded(Settings.model_validate({"discovery": {"file": "replicas.yaml"}}))


def test_the_table_knows_what_the_settings_say_of_models() -> None:
    """Aliases, the allow-list, and whether a name may mean several."""
    table = make_table(Settings(aliases={"a": "b"}, allowed_models=("a",), ambiguous_model="reject"))
    assert (table.aliases, table.is_allowed("c"), table.rejects_ambiguous) == ({"a": "b"}, False, True)
