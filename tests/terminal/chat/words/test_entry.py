"""One message and its lines."""

import pytest

from vllm_gateway.terminal.chat.words.entry import Entry, Kind, Layout, State
from vllm_gateway.terminal.chat.words.look import Look
from vllm_gateway.terminal.themes import Themes


def lines(entry: Entry, width: int = 40) -> list[str]:
    """Return the lines of an entry."""
    look = Look(Themes().load("harbour"))
    return [strip.text.rstrip() for strip in Layout(entry, look, width).lines()]


def test_who_speaks_is_seen() -> None:
    """A person's words stand as they were typed beside a bar, a model's as Markdown, the chat's own with a mark."""
    assert lines(Entry(Kind.USER, "*a*\n  b", name="You")) == ["▌ You", "▌ *a*", "▌   b", ""]
    assert lines(Entry(Kind.ASSISTANT, "*a*", name="m", footer="1 s")) == ["  m", "  a", "  1 s", ""]
    assert lines(Entry(Kind.NOTE, "Gone.")) == ["! Gone.", ""]


def test_thoughts_are_folded_until_somebody_asks() -> None:
    """Folded they are one line that counts them."""
    entry = Entry(Kind.ASSISTANT, "Yes.", thinking="one two\n", name="m")
    assert lines(entry) == ["  m", "  ▸ thoughts (2 words)", "  Yes.", ""]
    entry.is_unfolded = True
    assert lines(entry) == ["  m", "  ▾ thoughts (2 words)", "    one two", "  Yes.", ""]


def test_an_answer_that_has_not_begun_is_awaited() -> None:
    """Dots stand where it will come; what the model has forgotten says so."""
    assert lines(Entry(Kind.ASSISTANT, name="m", state=State.WAITING)) == ["  m", "  ...", ""]
    assert (
        lines(Entry(Kind.USER, "x", name="You", is_forgotten=True), 80)[0]
        == "▌ You (the model does not see this any more)"
    )


def test_a_text_that_became_another_is_laid_out_anew() -> None:
    """What was settled of the old one is not shown."""
    entry = Entry(Kind.ASSISTANT, "one\n\ntwo\n\nthree", name="m")
    layout = Layout(entry, Look(Themes().load("harbour")), 40)
    layout.lines()
    entry.text = "four"
    assert [strip.text.rstrip() for strip in layout.lines()] == ["  m", "  four", ""]


@pytest.mark.parametrize("width", [1, 8, 20, 200])
def test_any_width_will_do(width: int) -> None:
    """A window may be as narrow as it likes."""
    assert lines(Entry(Kind.ASSISTANT, "one two three", thinking="a b", name="m", is_unfolded=True), width)
