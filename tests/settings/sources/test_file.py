"""The settings file."""

from collections.abc import Callable
from pathlib import Path

import pytest

from vllm_gateway.settings.sources.file import read_file
from vllm_gateway.settings.sources.reading import Reading
from vllm_gateway.settings.sources.variables import Variables

Read = Callable[..., Reading]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Read a file of the given text, with the given variables."""

    def read_text(text: str, **texts: str) -> Reading:
        path = tmp_path / "gateway.yaml"
        path.write_text(text)
        return read_file(path, "gateway.yaml", [Variables("environment", texts, tmp_path)])

    return read_text


def _values(reading: Reading) -> dict[tuple[str | int, ...], object]:
    assert reading.problems == []
    return {one.place: one.value for one in reading.assignments}


def test_values_have_places_and_lines(read: Read) -> None:
    """Each value of the file is given with its place, and its line as its origin."""
    reading = read("port: 1\nupstreams:\n  - url: http://h\n")
    assert [(one.place, one.value, one.origin) for one in reading.assignments] == [
        (("port",), 1, "gateway.yaml:1"),
        (("upstreams", 0, "url"), "http://h", "gateway.yaml:3"),
    ]


@pytest.mark.parametrize("text", ["", "# only words\n", "---\n", "{}", "limits:\ndefault_model:\n"])
def test_nothing_behind_a_key_sets_nothing(text: str, read: Read) -> None:
    """An empty file, and a key with nothing behind it, leave the defaults."""
    assert _values(read(text)) == {}


def test_an_unknown_key_is_kept_for_the_report_even_when_empty(read: Read) -> None:
    """A misspelt key with nothing behind it is still a mistake."""
    assert _values(read("limitz:\n")) == {("limitz",): None}


def test_references_are_filled_in_by_the_type_of_the_setting(read: Read) -> None:
    """Texts are filled in as text; where a list or a mapping belongs, the filled-in text is YAML."""
    text = "default_model: x-${A}\nport: ${P}\nallowed_models: ${L}\naliases: ${NONE:-{}}\n"
    values = _values(read(text, A="a", P="9", L="[a, b]"))
    assert values[("default_model",)] == "x-a"
    assert values[("port",)] == "9"
    assert values[("allowed_models",)] == ["a", "b"]


def test_a_missing_reference_is_told_with_its_line_and_key(read: Read) -> None:
    """The problem names the line, the setting and the variable."""
    (problem,) = read("upstreams:\n  - api_key: ${NOWHERE}\n").problems
    assert problem.line.startswith("gateway.yaml:2: upstreams[0].api_key needs the variable NOWHERE")


def test_a_reference_to_text_that_is_no_yaml_is_told(read: Read) -> None:
    """A list that comes from a variable must be one."""
    (problem,) = read("allowed_models: ${L}\n", L="[a").problems
    assert problem.line.startswith("gateway.yaml:1: allowed_models must be YAML or JSON")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("just words", "gateway.yaml: must hold settings, one `key: value` a line"),
        ("- port\n", "gateway.yaml: must hold settings"),
        ("port: 1\nport: 2\n", "gateway.yaml:2: the key port is given twice; keep one"),
        ("a: \x07", "gateway.yaml: is not YAML: it holds a character"),
    ],
)
def test_a_file_that_is_no_settings_file_is_told(text: str, line: str, read: Read) -> None:
    """A text without settings, a doubled key and unreadable text are one problem each."""
    problems = read(text).problems
    assert [problem.line.startswith(line) for problem in problems] == [True]
