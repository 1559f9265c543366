"""When a replica is fit to be asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vllm_gateway.upstream.health import FAILURES_IN_A_ROW, Health, Sign

BAD = [Sign.FAILED, Sign.PROBE_FAILED]
WELL = Health(is_usable=True)
SIGNS = st.lists(st.sampled_from(Sign), max_size=12)


def after(signs: list[Sign], health: Health | None = None) -> Health:
    """Return what is held after all these signs."""
    held = health or Health()
    for sign in signs:
        held = held.after(sign)
    return held


def test_nothing_is_known_of_a_new_replica() -> None:
    """It is not asked before it was seen to be well, however often it fails meanwhile."""
    assert not Health().is_usable
    assert not after([Sign.PROBE_FAILED] * 5).is_usable


@given(signs=SIGNS)
def test_an_answered_probe_wipes_out_all_bad_signs(signs: list[Sign]) -> None:
    """A restarted server is used again at once."""
    assert after([*signs, Sign.PROBE_ANSWERED]) == WELL


@given(signs=SIGNS)
def test_an_answered_request_wipes_them_out_only_of_one_in_use(signs: list[Sign]) -> None:
    """An old request that comes to its end does not bring back who was found unwell."""
    held = after(signs)
    assert held.after(Sign.ANSWERED) == (WELL if held.is_usable else held)


@pytest.mark.parametrize("sign", BAD)
def test_three_bad_signs_in_a_row_end_the_use(sign: Sign) -> None:
    """Two may be the doing of two requests."""
    assert FAILURES_IN_A_ROW == 3
    assert after([sign] * 2, WELL) == Health(is_usable=True, failures=2)
    assert after([sign] * 3, WELL) == Health(is_usable=False, failures=3)


def test_bad_signs_count_together() -> None:
    """A failed request and failed probes speak of the same replica."""
    assert not after([Sign.FAILED, Sign.PROBE_FAILED, Sign.FAILED], WELL).is_usable
    assert after([Sign.FAILED, Sign.FAILED, Sign.ANSWERED, Sign.FAILED, Sign.FAILED], WELL).is_usable


@given(SIGNS)
def test_unreachable_ends_the_use_at_once(signs: list[Sign]) -> None:
    """Nothing listens there."""
    assert not after([*signs, Sign.UNREACHABLE]).is_usable


@given(SIGNS, st.sampled_from(BAD))
def test_a_bad_sign_never_begins_the_use(signs: list[Sign], sign: Sign) -> None:
    """Only a good one does; and each bad one is counted."""
    before = after(signs)
    later = before.after(sign)
    assert later.is_usable <= before.is_usable
    assert later.failures == before.failures + 1
