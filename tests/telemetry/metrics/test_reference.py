"""The list of metrics in the documentation."""

import pytest

from tests.house.files import ROOT
from vllm_gateway.telemetry.metrics.definitions import METRICS
from vllm_gateway.telemetry.metrics.reference import BEGIN, END, renewed, table


def test_the_page_in_the_repository_has_this_table() -> None:
    """Made anew by `python -m scripts.metrics_reference`."""
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert renewed(page) == page


def test_every_metric_has_its_row() -> None:
    """And nothing in it ends the row early."""
    rows = table().splitlines()[2:]
    assert len(rows) == len(METRICS)
    assert all(row.count("|") == 4 for row in rows)


def test_a_page_without_a_place_for_it_is_refused() -> None:
    """Rather than to be left as it is."""
    with pytest.raises(ValueError, match="no place"):
        renewed(f"nothing {END}")
    assert renewed(f"a\n{BEGIN}old\n{END}b\n") == f"a\n{BEGIN}{table()}{END}b\n"
