"""The admin key, and those who try others."""

import pytest

from vllm_gateway.admission.keys.throttle import WRONG_KEYS, Throttle
from vllm_gateway.clock import HandClock
from vllm_gateway.edge.admin.admin_key import AdminKey
from vllm_gateway.errors import KeyRefused, KeysThrottled

RIGHT = b"the-admin-key-of-the-tests"


def test_the_right_key_is_enough_among_others() -> None:
    """Clients may send a key in two headers."""
    AdminKey(RIGHT.decode(), Throttle(HandClock())).check([b"another", RIGHT], "127.0.0.1", "No.")


@pytest.mark.parametrize("sent", [[], [b""], [RIGHT[:-1]], [RIGHT + b"x"], [b"k" * 100_000]])
def test_everything_else_is_refused_with_the_sentence(sent: list[bytes]) -> None:
    """Whoever asks says what is to be told."""
    with pytest.raises(KeyRefused, match=r"^No\.$"):
        AdminKey(RIGHT.decode(), Throttle(HandClock())).check(sent, "127.0.0.1", "No.")


def test_wrong_keys_are_counted_and_missing_ones_are_not() -> None:
    """Who guesses is told to wait; the right key is taken all the same."""
    key = AdminKey(RIGHT.decode(), Throttle(HandClock()))
    for _ in range(WRONG_KEYS + 5):
        with pytest.raises(KeyRefused):
            key.check([], "127.0.0.1", "No.")
    for _ in range(WRONG_KEYS):
        with pytest.raises(KeyRefused):
            key.check([b"wrong"], "127.0.0.1", "No.")
    with pytest.raises(KeysThrottled):
        key.check([b"wrong"], "127.0.0.1", "No.")
    key.check([RIGHT], "127.0.0.1", "No.")
