"""The reference page."""

from pathlib import Path

from vllm_gateway.settings.pages.reference import reference
from vllm_gateway.settings.places import fields, variable, written
from vllm_gateway.settings.sources.aliases import ALIASES

PAGE = Path(__file__).parents[3] / "docs" / "configuration.md"


def test_the_page_in_the_repository_is_this_one() -> None:
    """`docs/configuration.md` is what `vllm-gateway config docs` prints; run that after a change of the settings."""
    assert PAGE.read_text(encoding="utf-8") == reference()


def test_every_setting_and_every_name_is_there() -> None:
    """Each setting has a row with its variable; each earlier name is listed."""
    rows = reference().splitlines()
    for place, _ in fields():
        (row,) = [row for row in rows if row.startswith(f"| `{written(place)}` |")]
        assert f"| `{variable(place)}` |" in row
    assert all(f"`{name}`" in reference() for alias in ALIASES for name in alias.names)


def test_every_row_of_a_table_has_four_cells() -> None:
    """No description breaks its table."""
    rows = [row for row in reference().splitlines() if row.startswith("| `") and "| `GATEWAY_" in row[1:]]
    assert len(rows) > 40
    assert {row.replace("\\|", "").count("|") for row in rows} == {5}
