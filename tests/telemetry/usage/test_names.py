"""What people call keys."""

from vllm_gateway.telemetry.usage.names import KeyNames, KnownKey

NAMES = KeyNames(
    [KnownKey("key-a", "key_1", "ann"), KnownKey("key-b", "key_2", "bob"), KnownKey("key-c", "key_3", "bob")]
)


def test_a_key_is_found_by_any_of_its_names() -> None:
    """Several keys may go by one name; they are meant together."""
    assert NAMES.callers("ann") == NAMES.callers("key_1") == NAMES.callers("key-a") == {"key-a"}
    assert NAMES.callers("bob") == {"key-b", "key-c"}


def test_an_unknown_key_is_taken_at_its_word() -> None:
    """The ledger knows keys that nobody named: those of the settings, and those of replicas."""
    assert NAMES.callers("key-z") == {"key-z"}
    assert KeyNames().callers("key-a") == {"key-a"}


def test_only_keys_that_have_a_name_get_one() -> None:
    """Nobody's requests have none."""
    assert [NAMES.name(caller) for caller in ("key-b", "key-z", None)] == ["bob", None, None]
