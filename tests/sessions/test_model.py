"""The state of a conversation."""

import pytest

from tests.sessions.stores.places import NOW, session
from vllm_gateway.sessions.model import KeptResponse


@pytest.mark.parametrize(("after_s", "is_expired"), [(0, False), (599.9, False), (600, True), (10_000, True)])
def test_a_session_expires_after_its_last_use(after_s: float, *, is_expired: bool) -> None:
    """It lives for so long, and not a moment longer."""
    kept = session(used=NOW, ttl_s=600.0)
    assert kept.is_expired(NOW + after_s) is is_expired


def test_the_seconds_that_are_left_never_go_below_zero() -> None:
    """They count from the last use."""
    kept = session(created=NOW - 1000, used=NOW, ttl_s=600.0)
    assert kept.expires_in(NOW) == pytest.approx(600)
    assert kept.expires_in(NOW + 590) == pytest.approx(10)
    assert kept.expires_in(NOW + 1000) == 0


def test_a_session_without_a_time_to_live_lives_for_ever() -> None:
    """0 means that."""
    kept = session(ttl_s=0.0)
    assert not kept.is_expired(NOW + 1e12)
    assert kept.expires_in(NOW + 1e12) is None


def test_a_response_expires_at_its_time() -> None:
    """And never when it has none."""
    kept = KeptResponse("r", "", NOW, NOW + 5, (), [], {})
    assert [kept.is_expired(NOW + seconds) for seconds in (0, 4.9, 5, 6)] == [False, False, True, True]
    assert not KeptResponse("r", "", NOW, 0.0, (), [], {}).is_expired(NOW * 2)
