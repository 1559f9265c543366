"""What a good answer is."""

import pytest

from tests.bench.making import answered, failed
from vllm_gateway.bench.figures.goodput import Slo


def test_every_limit_counts() -> None:
    """An answer is good when it is within all of them; at the limit is within."""
    record = answered(ttft=0.5, gaps=(0.25, 0.25))
    for text in ("ttft:500 tpot:250 itl:250 e2el:1000", "ttft:500,e2e:1000", ""):
        assert Slo.parse([text]).is_met(record)
    for text in ("ttft:499", "tpot:249", "itl:249", "e2el:999", "ttft:500 e2e:999"):
        assert not Slo.parse([text]).is_met(record)


def test_a_failure_is_never_good() -> None:
    """However fast it was."""
    assert not Slo().is_met(failed())


def test_what_an_answer_does_not_have_is_no_reason() -> None:
    """An answer of one token has no time per further token."""
    assert Slo.parse(["tpot:1", "itl:1"]).is_met(answered(gaps=()))


def test_limits_read_as_they_were_said() -> None:
    """With the names that `vllm bench serve` knows."""
    assert str(Slo.parse(["ttft:200", "e2e:1500.5"])) == "ttft:200 e2el:1500.5"


@pytest.mark.parametrize("text", ["ttft", "ttft:", "ttft:x", "ttft:0", "ttft:-1", "speed:1", "ttft:inf", "ttft:nan"])
def test_anything_else_is_a_mistake(text: str) -> None:
    """The sentence says which part and what it takes."""
    with pytest.raises(ValueError, match="--goodput") as caught:
        Slo.parse([text])
    assert text in str(caught.value)
    assert "as in ttft:200" in str(caught.value)
