"""Sessions in their first shape."""

import contextlib

import pytest

from vllm_gateway.admission.keys.ring import Keys
from vllm_gateway.edge.house.first_shape import Entrance
from vllm_gateway.errors import KeyRefused, KeysThrottled
from vllm_gateway.settings.admission import Auth

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
async def test_a_session_is_begun_with_a_key_that_is_known(
    auth: dict[str, object], upstream_keys: list[str], good: list[str], bad: list[str]
) -> None:
    """A client's or a replica's; where there are none, every key will do."""
    entrance = Entrance(Keys(Auth.model_validate(auth)), lambda: [key.encode() for key in upstream_keys])
    for key in good:
        await entrance.check(key, "127.0.0.1")
    for key in bad:
        with pytest.raises(KeyRefused) as refusal:
            await entrance.check(key, "127.0.0.1")
        assert refusal.value.status == 401


async def test_who_guesses_is_slowed_down() -> None:
    """The key in the body counts as the one in a header does, and where it stands is told."""
    entrance = Entrance(Keys(Auth.model_validate(KEYS)), list)
    with pytest.raises(KeyRefused) as refusal:
        await entrance.check("wrong", "127.0.0.1")
    assert refusal.value.param == "vllm_api_key"
    for _ in range(100):
        with contextlib.suppress(KeyRefused, KeysThrottled):
            await entrance.check("wrong", "127.0.0.1")
    with pytest.raises(KeysThrottled):
        await entrance.check("wrong", "127.0.0.1")
    await entrance.check("sk-12345678", "127.0.0.1")
