"""What headers say of keeping."""

import pytest

from vllm_gateway.cache.wishes import Wishes, wishes_in
from vllm_gateway.errors import FieldInvalid, IdempotencyConflict


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"no-cache", Wishes(reads=False)),
        (b"No-Cache, max-age=0", Wishes(reads=False)),
        (b"no-store", Wishes(reads=False, keeps=False)),
        (b" no-cache ,NO-STORE", Wishes(reads=False, keeps=False)),
        (b"max-age=0", Wishes(reads=False)),
        (b"max-age=60", Wishes()),
        (b"", Wishes()),
    ],
)
def test_cache_control_is_honoured(value: bytes, expected: Wishes) -> None:
    """`no-cache` asks anew and keeps, `no-store` does neither."""
    assert wishes_in([(b"accept", b"*/*"), (b"cache-control", value)]) == expected


def test_cache_control_may_come_in_several_lines() -> None:
    """They count together."""
    assert wishes_in([(b"cache-control", b"max-age=1"), (b"cache-control", b"no-store")]) == Wishes(False, False)  # noqa: FBT003 - reads, keeps


def test_a_request_may_have_a_name() -> None:
    """As long as it fits into a line."""
    assert wishes_in([(b"idempotency-key", b" order-1 ")]) == Wishes(once="order-1")
    assert wishes_in([(b"idempotency-key", b"k" * 255), (b"cache-control", b"no-cache")]).once == "k" * 255


@pytest.mark.parametrize("value", [b"", b" ", b"k" * 256, b"caf\xc3\xa9", b"a\x01b"])
def test_a_name_that_is_none_is_refused(value: bytes) -> None:
    """The caller relies on it, so it is not passed over in silence."""
    with pytest.raises(FieldInvalid, match="between 1 and 255"):
        wishes_in([(b"idempotency-key", value)])


def test_a_name_used_twice_is_the_callers_fault() -> None:
    """422, and what to do about it."""
    error = IdempotencyConflict()
    assert (error.status, error.param) == (422, "Idempotency-Key")
    assert "new key" in str(error)
