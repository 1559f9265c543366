"""Terminals that know no UTF-8."""

import io

from vllm_gateway.terminal.plain import make_plain


def test_lines_become_dashes_and_the_rest_question_marks() -> None:
    """Each character stays one, so that nothing moves; what the terminal knows is left alone."""
    paper = io.BytesIO()
    terminal = io.TextIOWrapper(paper, encoding="latin-1")
    make_plain(terminal)
    terminal.write("╭─ é ─╮│…▸•\u201cx\u201d冬")
    terminal.flush()
    assert paper.getvalue().decode("latin-1") == '+- é -+|.>*"x"?'


def test_a_terminal_that_knows_utf_8_gets_everything() -> None:
    """Nothing is replaced there."""
    paper = io.BytesIO()
    terminal = io.TextIOWrapper(paper, encoding="utf-8")
    make_plain(terminal)
    terminal.write("╭─冬")
    terminal.flush()
    assert paper.getvalue().decode() == "╭─冬"
