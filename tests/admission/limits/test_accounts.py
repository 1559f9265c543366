"""What stands for a caller, and what its requests are counted by."""

import pytest

from vllm_gateway.admission.limits import accounts
from vllm_gateway.admission.limits.accounts import Accounts
from vllm_gateway.callers import Allowance, Caller
from vllm_gateway.settings.admission import Limits, LimitSet


@pytest.mark.parametrize(
    ("caller", "address", "per", "who"),
    [
        (Caller(""), "10.0.0.1", "key", "ip:10.0.0.1"),
        (Caller("key-1"), "10.0.0.1", "key", "key:key-1"),
        (Caller("key-1"), "10.0.0.1", "ip", "ip:10.0.0.1"),
        (Caller(""), "2001:db8:1:2:3:4:5:6", "key", "ip:2001:db8:1:2::/64"),
        (Caller(""), "fe80::1%eth0", "key", "ip:fe80::/64"),
        (Caller(""), "not:an:address", "key", "ip:not:an:address"),
        (Caller(""), "", "key", "ip:"),
    ],
)
def test_a_caller_is_a_key_or_a_place(caller: Caller, address: str, per: str, who: str) -> None:
    """Whoever has an IPv6 network has more addresses than there are limits, so the network counts."""
    found = Accounts(Limits.model_validate({"per": per, "concurrent": 1})).of(caller, address, "m")
    assert [meter.scope for meter in found.meters] == [who]


def test_an_account_is_found_once() -> None:
    """And another one for everything that makes a difference."""
    limits = Limits(concurrent=1, models={"m": LimitSet(concurrent=2)})
    found = Accounts(limits)
    one = found.of(Caller("key-1"), "10.0.0.1", "m")
    assert found.of(Caller("key-1"), "10.0.0.2", "m") is one
    assert found.of(Caller("key-1"), "10.0.0.1", "other").meters == one.meters[:1]
    assert found.of(Caller("key-2"), "10.0.0.1", "m").meters[0].scope == "key:key-2"
    assert found.of(Caller(""), "10.0.0.1", "m").meters[0].scope == "ip:10.0.0.1"
    assert found.of(Caller(""), "10.0.0.2", "m").meters[0].scope == "ip:10.0.0.2"


def test_a_key_that_may_use_more_from_now_on_does() -> None:
    """What it may use is looked at with every request; the same in other words is the same."""
    found = Accounts(Limits())
    few = found.of(Caller("key-1", allowance=Allowance(concurrent=1)), "", "m")
    assert found.of(Caller("key-1", allowance=Allowance(concurrent=1)), "", "m") is few
    more = found.of(Caller("key-1", allowance=Allowance(concurrent=2)), "", "m")
    assert [meter.amount for meter in (*few.meters, *more.meters)] == [1, 2]
    assert found.of(Caller("key-1"), "", "m").meters == ()


def test_no_more_than_so_many_accounts_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has been forgotten is found again."""
    monkeypatch.setattr(accounts, "MOST_ACCOUNTS", 10)
    found = Accounts(Limits(concurrent=1))
    for number in range(100):
        assert found.of(Caller(""), f"10.0.0.{number}", "m").meters[0].scope == f"ip:10.0.0.{number}"
    assert len(found._found) == 10
    assert found.of(Caller(""), "10.0.0.0", "m").meters[0].scope == "ip:10.0.0.0"


def test_a_request_without_tokens_has_no_meter_of_them() -> None:
    """A used-up budget does not keep anybody from counting tokens."""
    account = Accounts(Limits(tokens_per_minute=5, tokens_per_day=5, concurrent=1)).of(Caller("a"), "", "m")
    assert account.counts_tokens
    assert [meter.of for meter in account.without_tokens.meters] == ["concurrent"]


def test_the_budget_of_a_key_is_known_by_its_place() -> None:
    """That of an address, of a model or of all is none."""
    found = Accounts(Limits(concurrent=1, tokens_per_day=5, total=LimitSet(tokens_per_day=9)))
    of_key, of_address = found.of(Caller("a"), "", "m"), found.of(Caller(""), "", "m")
    assert of_key.key_budget == 0
    assert of_key.meters[0].of == "tokens"
    assert of_address.key_budget is None
    assert of_address.has_budget


def test_limits_might_hold_for_whoever_has_some() -> None:
    """By the settings, or of its own."""
    assert not Accounts(Limits()).might_hold(Caller("a"))
    assert Accounts(Limits()).might_hold(Caller("a", allowance=Allowance(concurrent=1)))
    assert Accounts(Limits(concurrent=1)).might_hold(Caller("a"))
