"""What the settings name and this version cannot do."""

import pytest

from tests.settings.conftest import Load, Refused
from vllm_gateway.settings import Settings
from vllm_gateway.settings.available import NOT_YET, SENTENCE, not_available, value_at
from vllm_gateway.settings.pages.values import one_line
from vllm_gateway.settings.places import Place, fields, written

OTHER_VALUES: dict[Place, str] = {
    ("cache", "backend"): "memory",
    ("cache", "any_temperature"): "true",
    ("cache", "max_bytes"): "1000000",
    ("cache", "max_answer_bytes"): "1000",
    ("cache", "bill_hits"): "true",
    ("usage", "backend"): "sqlite",
    ("usage", "path"): "usage.sqlite",
    ("usage", "keep_days"): "7",
}
"""For each setting of the table a valid value that is not its default."""


def _as_file(place: Place, text: str) -> str:
    return "".join(f"{'  ' * depth}{key}:\n" for depth, key in enumerate(place)).rstrip("\n") + f" {text}\n"


@pytest.mark.parametrize("place", NOT_YET, ids=written)
def test_what_is_not_there_yet_is_refused(place: Place, refused: Refused) -> None:
    """A setting of the table that asks for something is refused, with its line and without its value."""
    lines = refused(_as_file(place, OTHER_VALUES[place]))
    assert lines == [f"gateway.yaml:{len(place)}: {written(place)} {SENTENCE}"]


@pytest.mark.parametrize("place", NOT_YET, ids=written)
def test_the_default_is_never_refused(place: Place, loaded: Load) -> None:
    """The same setting, written out at its default, is fine: it asks for nothing."""
    default = value_at(Settings(), place)
    assert value_at(loaded(_as_file(place, one_line(default))).settings, place) == default


def test_the_table_names_fields_only() -> None:
    """Every line of the table is a field of the model."""
    assert set(NOT_YET) <= {place for place, _ in fields()}


def test_defaults_ask_for_nothing() -> None:
    """Settings without any source are available."""
    assert list(not_available(Settings())) == []
