"""Markdown that grows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vllm_gateway.terminal.chat.words.look import Look
from vllm_gateway.terminal.chat.words.markdown import GrowingMarkdown, fences
from vllm_gateway.terminal.cleaning import clean
from vllm_gateway.terminal.themes import Themes

TEXT = """# Title

Some *text* with `code`, **bold** and a [link](http://a.b).
\u2028
- one
- two
  - three

```python
def f(x):
    return "a"

```

| a | b |
|---|--:|
| 1 | 2 |

> quote

1. x
2. y

---
end
"""


@pytest.fixture(scope="module")
def look() -> Look:
    """Return how words look in one of our themes."""
    return Look(Themes().load("harbour"))


def lines(look: Look, *stages: str, width: int = 40) -> list[str]:
    """Return the lines of a text that came in these stages."""
    growing = GrowingMarkdown(look, width)
    found = [strip.text.rstrip() for stage in stages for strip in growing.lines(stage)]
    return found[-len(growing.lines(stages[-1])) :]


@given(st.lists(st.integers(0, len(TEXT)), max_size=12))
def test_it_looks_the_same_however_it_came(places: list[int]) -> None:
    """A text that came in pieces has the lines of one that came whole."""
    look = Look(Themes().load("harbour"))
    stages = [TEXT[:place] for place in sorted(places)]
    assert lines(look, *stages, TEXT) == lines(look, TEXT)


def test_what_markdown_means_is_seen(look: Look) -> None:
    """Headings at the left, code with its language and a line beside it, lists, tables and quotes."""
    seen = "\n".join(lines(look, TEXT))
    for expected in (
        "Title\n",
        "╭ python",
        '│     return "a"',
        " • one",
        "   • three",
        " 1  2",
        "▌ quote",
        "http://a.b",
    ):
        assert expected in seen
    assert not seen.startswith("\n")


def test_a_fence_that_is_open_is_code_already(look: Look) -> None:
    """While an answer comes, its code looks like code before the fence is closed."""
    assert lines(look, "```sh\necho 1") == ["╭ sh", "│ echo 1"]


def test_nothing_is_wider_than_the_screen(look: Look) -> None:
    """Long words and long lines of code are broken."""
    growing = GrowingMarkdown(look, 20)
    text = "x" * 100 + "\n\n```\n" + "y" * 100 + "\n```\n"
    assert max(strip.cell_length for strip in growing.lines(text)) <= 20


def test_words_cannot_steer_the_terminal(look: Look) -> None:
    """Not from inside of code either."""
    assert not any("\x1b" in line for line in lines(look, clean("`\x1b]0;title\x07`")))


def test_code_blocks_are_found_in_order() -> None:
    """Fences of either kind and indented blocks, without their marks."""
    assert fences("a\n```py\n1\n```\n~~~\n2\n~~~\n\n    3\n") == ["1\n", "2\n", "3\n"]
