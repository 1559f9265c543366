"""Terminals that know no UTF-8."""

import io

import pytest

from vllm_gateway.terminal.plain import knows_utf_8, make_plain


def test_lines_become_dashes_and_the_rest_question_marks() -> None:
    """Each character stays one, so that nothing moves; what the terminal knows is left alone."""
    paper = io.BytesIO()
    terminal = io.TextIOWrapper(paper, encoding="latin-1")
    assert make_plain(terminal)
    terminal.write("╭─ é ─╮│…▸•\u201cx\u201d冬")
    terminal.flush()
    assert paper.getvalue().decode("latin-1") == '+- é -+|.>*"x"?'


def test_a_terminal_that_knows_utf_8_gets_everything() -> None:
    """Nothing is replaced there."""
    paper = io.BytesIO()
    terminal = io.TextIOWrapper(paper, encoding="utf-8")
    assert not make_plain(terminal)
    terminal.write("╭─冬")
    terminal.flush()
    assert paper.getvalue().decode() == "╭─冬"


@pytest.mark.parametrize("locale", [None, "C.UTF-8", "de_DE.utf8@euro", "de_DE"])
def test_most_terminals_know_utf_8(locale: str | None) -> None:
    """Those that say so, and those that say nothing about characters."""
    assert knows_utf_8(locale)


@pytest.mark.parametrize("locale", ["C", "POSIX", "ru_RU.KOI8-R"])
def test_who_names_another_character_set_has_it(locale: str) -> None:
    """`C` is the oldest of them."""
    assert not knows_utf_8(locale)
