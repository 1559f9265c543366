"""YAML with lines, and its faults."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from vllm_gateway.settings.sources.yaml_text import Leaf, YamlFault, read_leaves, read_value

_scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
_values = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)


def test_each_value_has_its_place_and_line() -> None:
    """Values inside mappings and lists are found with the line that they begin in."""
    assert read_leaves("a: 1\nb:\n  - c: x\n  - d: []\n") == [
        Leaf(("a",), 1, 1),
        Leaf(("b", 0, "c"), "x", 3),
        Leaf(("b", 1, "d"), [], 4),
    ]
    assert read_leaves("# nothing\n") == []


@given(_values)
def test_values_are_read_as_they_were_written(value: object) -> None:
    """What YAML can write is read back whole."""
    assert read_value(yaml.safe_dump(value)) == value


def test_merged_keys_count_and_own_keys_win() -> None:
    """`<<` takes the keys of an anchor; the mapping's own come before them."""
    text = "base: &b {url: u, weight: 1}\nlist:\n  - {<<: *b, weight: 2}\n  - *b\n"
    assert read_value(text) == {
        "base": {"url": "u", "weight": 1},
        "list": [{"url": "u", "weight": 2}, {"url": "u", "weight": 1}],
    }


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "the key a is given twice"),
        ("x:\n  - {k: 1, k: 2}\n", 2, "the key k is given twice"),
        ("a: [1\nb: 2\n", 2, "column 2: is not YAML: expected ',' or ']', but got ':'"),
        ("a: 1\n\tb: 2\n", 2, "column 1: is not YAML: found character '\\t'"),
        ("a: b: c\n", 1, "column 5: is not YAML: mapping values are not allowed here"),
        ("a: 1\n---\nb: 2\n", 2, "there must be one document"),
        ("x: *nowhere\n", 1, "begins with * must name an anchor"),
        ("x: !!python/object:os.system {}\n", 1, "this tag means nothing"),
        ("x:\n  7: y\n", 2, "the key 7 in x must be text; put it in quotes"),
        ("x: !a!b c\n", 1, "this tag means nothing"),
        ("x: 2026-99-99\n", 1, "looks like a date or a number and is none"),
        (f"x: {'9' * 5000}\n", 1, "looks like a date or a number and is none"),
        ("x: !!bool maybe\n", 1, "looks like a date or a number and is none"),
        ("x: !!timestamp soon\n", 1, "looks like a date or a number and is none"),
        ("? [a]\n: b\n", 1, "a key must be text"),
        ("a: \x00\n", 0, "holds a character that YAML does not allow"),
        ("a: &a [*a]\n", 0, "nested too deeply, or holds itself"),
        ("[" * 5000, 0, "nested too deeply"),
    ],
)
def test_a_fault_has_a_line_and_a_sentence(text: str, line: int, said: str) -> None:
    """What is no plain YAML is refused, with the line when there is one."""
    with pytest.raises(YamlFault) as caught:
        read_leaves(text)
    assert said in caught.value.sentence
    assert caught.value.line == line


def test_anchors_that_multiply_are_stopped() -> None:
    """A text that stands for more values than any real file is refused quickly."""
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
    )
    with pytest.raises(YamlFault, match="more than 10000 values"):
        read_leaves(bomb)


@given(st.text(max_size=60) | st.text(alphabet="ab:-[]{}&*!'\"\n #,?|>%<", max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text ends in another error than `YamlFault`."""
    try:
        read_value(text)
    except YamlFault as refused:
        said = refused.sentence
    else:
        said = "read"
    assert said
