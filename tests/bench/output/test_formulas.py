"""Every figure is defined."""

from vllm_gateway.bench.output.formulas import FORMULAS
from vllm_gateway.bench.output.tables import TITLES


def test_every_time_that_is_shown_is_defined() -> None:
    """Under the name under which it is shown."""
    assert set(TITLES.values()) <= set(FORMULAS)


def test_formulas_fit_into_a_table() -> None:
    """Of one line each, without a bar."""
    assert not any("|" in text or "\n" in text for text in FORMULAS.values())
