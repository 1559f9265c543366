"""Sessions in their first shape."""

import pytest

from vllm_gateway.admission.keys import Keys
from vllm_gateway.edge.house.first_shape import Entrance
from vllm_gateway.errors import KeyRefused
from vllm_gateway.settings.model import Auth

KEYS = {"mode": "keys", "client_keys": ["sk-12345678"]}


@pytest.mark.parametrize(
    ("auth", "upstream_keys", "good", "bad"),
    [
        ({}, [], ["", "EMPTY", "\ud800"], []),
        ({}, ["replica-key"], ["replica-key"], ["", "EMPTY", "replica-ke", "replica-key ", "\ud800"]),
        (KEYS, [], ["sk-12345678"], ["", "EMPTY", "\ud800"]),
        (KEYS, ["replica-key"], ["sk-12345678", "replica-key"], ["", "x"]),
    ],
)
def test_a_session_is_begun_with_a_key_that_is_known(
    auth: dict[str, object], upstream_keys: list[str], good: list[str], bad: list[str]
) -> None:
    """A client's or a replica's; where there are none, every key will do."""
    entrance = Entrance(Keys(Auth.model_validate(auth)), upstream_keys)
    for key in good:
        entrance.check(key)
    for key in bad:
        with pytest.raises(KeyRefused) as refusal:
            entrance.check(key)
        assert refusal.value.status == 401
