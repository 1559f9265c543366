"""What a gateway adds."""

import random

import pytest

from tests.bench.making import answered, failed
from vllm_gateway.bench.figures.pairing import FIGURES, MEASURES, Round, added
from vllm_gateway.bench.load.record import Record


def rounds(extra_s: float, *, count: int = 10, size: int = 20) -> list[Round]:
    """Return rounds in which the times are scattered alike, and those through the gateway are longer."""
    dice = random.Random(7)  # noqa: S311 - scatters, hides nothing

    def one(more_s: float) -> Record:
        return answered(ttft=dice.uniform(0.2, 0.22) + more_s, gaps=[dice.uniform(0.01, 0.012)] * 3)

    def side(more_s: float) -> list[Record]:
        return [one(more_s) for _ in range(size)]

    return [(side(extra_s), side(0.0)) for _ in range(count)]


def test_a_delay_is_found() -> None:
    """As the difference of every figure of the times it is in, with an interval around it."""
    found = added(rounds(0.05))
    assert set(found) == set(MEASURES)
    for figure in FIGURES:
        for measure in ("ttft", "e2el"):
            assert found[measure][figure].value == pytest.approx(0.05, abs=0.002)
            assert found[measure][figure].low <= found[measure][figure].value <= found[measure][figure].high
            assert found[measure][figure].is_sure
    assert not found["itl"]["mean"].is_sure


def test_no_delay_is_not_found() -> None:
    """Scatter alone is not called a difference."""
    assert not added(rounds(0.0))["ttft"]["mean"].is_sure


def test_the_same_seed_draws_the_same_interval() -> None:
    """A report can be made again."""
    some = rounds(0.01, count=3)
    assert added(some, seed=1) == added(some, seed=1)


def test_a_failed_pair_is_left_out() -> None:
    """Nothing is compared with nothing."""
    through = [answered(ttft=0.3), failed(), answered(ttft=9)]
    found = added([(through, [answered(ttft=0.1), answered(ttft=5), failed()])])
    mean = found["ttft"]["mean"]
    assert (mean.value, mean.low, mean.high) == pytest.approx((0.2, 0.2, 0.2))
    assert added([([failed()], [failed()])]) == {}


def test_rounds_are_the_unit_that_repeats() -> None:
    """When rounds differ among each other, more requests in them make no surer figure."""
    few = [([answered(ttft=0.1 + n)] * 2, [answered(ttft=0.1)] * 2) for n in range(4)]
    many = [([answered(ttft=0.1 + n)] * 50, [answered(ttft=0.1)] * 50) for n in range(4)]
    one, other = added(few)["ttft"]["mean"], added(many)["ttft"]["mean"]
    assert other.high - other.low == pytest.approx(one.high - one.low, rel=0.2)
    assert one.low < one.value < one.high
