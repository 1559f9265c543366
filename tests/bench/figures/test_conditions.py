"""Conditions on figures."""

import operator
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vllm_gateway.bench.figures.conditions import Comparison, Condition, ConditionMalformed, Every, Some, parse

FIGURES = {"a": 1.0, "b": 2.0, "delta.c_ms": 3.0, "none": None}
SIGNS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}


def comparisons() -> st.SearchStrategy[Comparison]:
    """Draw one figure against one number."""
    return st.builds(
        Comparison,
        st.sampled_from(["a", "b", "delta.c_ms"]),
        st.sampled_from(list(SIGNS)),
        st.floats(-1e6, 1e6, allow_nan=False) | st.integers(-3, 3).map(float),
    )


CONDITIONS: st.SearchStrategy[Condition] = st.recursive(
    comparisons(),
    lambda inner: st.lists(inner, min_size=2, max_size=3).flatmap(
        lambda terms: st.sampled_from([Every(tuple(terms)), Some(tuple(terms))])
    ),
    max_leaves=8,
)


def said(condition: Condition) -> str:
    """Write a condition down, every part of it in parentheses."""
    if isinstance(condition, Comparison):
        return f"{condition.name}{condition.sign}{condition.number!r}"
    word = " and " if isinstance(condition, Every) else " or "
    return "(" + word.join(said(term) for term in condition.terms) + ")"


def judged(condition: Condition) -> bool:
    """Judge a condition in another way."""
    if isinstance(condition, Comparison):
        value = FIGURES[condition.name]
        assert value is not None
        return SIGNS[condition.sign](value, condition.number)
    results = [judged(term) for term in condition.terms]
    return all(results) if isinstance(condition, Every) else any(results)


@given(CONDITIONS)
def test_what_is_written_is_what_is_read(condition: Condition) -> None:
    """Whatever a condition looks like, and whatever it comes to."""
    read = parse(said(condition), FIGURES)
    assert read == condition
    assert read.holds(FIGURES) is judged(condition)


@given(st.text(alphabet="ab.<>=!()% 1-0eandor", max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    """With a sentence that begins with the flag, and never in another way."""
    try:
        refusal = ""
        parse(text, FIGURES).holds(FIGURES)
    except ConditionMalformed as mistake:
        refusal = str(mistake)
    assert not refusal or refusal.startswith(f"--fail-if {text}: ")


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("a > 0.5 and b < 1 or b == 2", True),
        ("a > 0.5 and (b < 1 or b == 3)", False),
        ("a >= 100%", True),
        ("a<1e0", False),
        ("a != 1 or a < -1.5", False),
    ],
)
def test_and_binds_before_or(text: str, holds: bool) -> None:
    """As everywhere; a percent sign divides by a hundred."""
    assert parse(text, FIGURES).holds(FIGURES) is holds


def test_what_was_not_measured_fails() -> None:
    """Nobody can say that it is within its bounds."""
    assert parse("none > 5", FIGURES).holds(FIGURES)
    assert parse("none < 5", FIGURES).holds({})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "it takes a figure, a comparison and a number"),
        ("a", "it takes a figure, a comparison and a number"),
        ("a > ", "a number should follow a >"),
        ("a > b", "a number should follow a >"),
        ("1 > a", "it takes a figure, a comparison and a number"),
        ("and > 1", "it takes a figure"),
        ("a > 1 b", "'b' is not expected there"),
        ("(a > 1", "a parenthesis is not closed"),
        ("a > 1 ; b", "'; b' is not understood"),
        ("delta.c > 1", "there is no figure 'delta.c'. Did you mean 'delta.c_ms'?"),
        ("zzz > 1", "there is no figure 'zzz'."),
    ],
)
def test_a_mistake_is_one_sentence(text: str, sentence: str) -> None:
    """It repeats what was said, and says what is wrong with it."""
    with pytest.raises(ConditionMalformed) as caught:
        parse(text, FIGURES)
    assert f"--fail-if {text}: " in str(caught.value)
    assert sentence in str(caught.value)
