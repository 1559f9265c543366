"""Wrong keys from one address."""

import pytest

from vllm_gateway.admission.keys.throttle import EACH_S, WRONG_KEYS, Throttle
from vllm_gateway.clock import HandClock
from vllm_gateway.errors import KeysThrottled


@pytest.fixture
def clock() -> HandClock:
    """Give a clock that stands still."""
    return HandClock()


def _wrong(throttle: Throttle, address: str, tries: int) -> int:
    """Send wrong keys; return how many were looked at."""
    looked_at = 0
    for _ in range(tries):
        try:
            throttle.check(address)
        except KeysThrottled:
            continue
        throttle.count(address)
        looked_at += 1
    return looked_at


def test_twenty_wrong_keys_then_one_each_three_seconds(clock: HandClock) -> None:
    """Exactly so many at once, and as many more as time has passed for."""
    throttle = Throttle(clock)
    assert _wrong(throttle, "192.0.2.1", 1000) == WRONG_KEYS == 20
    clock.move(EACH_S - 0.01)
    assert _wrong(throttle, "192.0.2.1", 1000) == 0
    clock.move(0.02)
    assert _wrong(throttle, "192.0.2.1", 1000) == 1
    clock.move(10 * EACH_S)
    assert _wrong(throttle, "192.0.2.1", 1000) == 10
    clock.move(3600)
    assert _wrong(throttle, "192.0.2.1", 1000) == 20


def test_an_attack_of_a_thousand_a_second_gets_no_more(clock: HandClock) -> None:
    """In a minute 20 and one for each three seconds are looked at, of sixty thousand."""
    throttle = Throttle(clock)
    looked_at = 0
    for _ in range(6000):
        looked_at += _wrong(throttle, "192.0.2.1", 10)
        clock.move(0.01)
    assert looked_at in {39, 40}


def test_who_is_throttled_is_told_when_to_try_again(clock: HandClock) -> None:
    """After the time that is told, one more is looked at."""
    throttle = Throttle(clock)
    _wrong(throttle, "192.0.2.1", 20)
    clock.move(1)
    with pytest.raises(KeysThrottled) as caught:
        throttle.check("192.0.2.1")
    assert (caught.value.status, caught.value.retry_after_s) == (429, EACH_S - 1)
    clock.move(EACH_S - 1)
    throttle.check("192.0.2.1")


@pytest.mark.parametrize(
    ("one", "other", "are_one"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("", "", True),
        ("", "192.0.2.1", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("a name", "another", False),
    ],
)
def test_an_address_is_one_of_ipv4_or_a_network_of_ipv6(one: str, other: str, are_one: bool, clock: HandClock) -> None:
    """Who has one address of IPv6 has its /64."""
    throttle = Throttle(clock)
    _wrong(throttle, one, 20)
    assert _wrong(throttle, other, 1) == (0 if are_one else 1)


def test_the_oldest_address_is_forgotten(clock: HandClock) -> None:
    """Memory is bounded, whoever sends from wherever; who was wrong last is remembered."""
    throttle = Throttle(clock, max_addresses=3)
    _wrong(throttle, "first", 20)
    _wrong(throttle, "second", 20)
    for address in ("a", "second", "b"):
        throttle.count(address)
    assert _wrong(throttle, "second", 1) == 0
    assert _wrong(throttle, "first", 1) == 1
    assert len(throttle._clean_at) == 3


def test_what_was_right_after_all_is_forgiven(clock: HandClock) -> None:
    """It leaves room for another wrong one; forgiving an address that is not known changes nothing."""
    throttle = Throttle(clock)
    _wrong(throttle, "192.0.2.1", 20)
    throttle.forgive("192.0.2.1")
    throttle.forgive("192.0.2.2")
    assert _wrong(throttle, "192.0.2.1", 5) == 1
