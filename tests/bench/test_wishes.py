"""What can be asked for, and what it is when nothing is said."""

from dataclasses import fields

from vllm_gateway.bench.wishes import Wishes


def test_every_wish_has_a_default() -> None:
    """The command runs without arguments: the gateway on this machine, ten requests, two before them."""
    wishes = Wishes()
    assert wishes.server.url == "http://127.0.0.1:8080"
    assert (wishes.load.warmup, wishes.load.requests, wishes.load.concurrency) == (2, None, None)
    assert str(wishes.output.out) == "reports"


def test_no_two_groups_have_a_flag_in_common() -> None:
    """They become flags of one command."""
    wishes = Wishes()
    names = [each.name for group in fields(wishes) for each in fields(getattr(wishes, group.name))]
    assert len(names) == len(set(names))
