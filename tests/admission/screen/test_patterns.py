"""Words and patterns: what is found in a text, and how settings that cannot be used are told."""

import sys
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vllm_gateway.admission.screen.patterns import DenyList, ScreenUnusable

LETTERS = st.text(st.characters(categories=["L"], max_codepoint=0x24F), min_size=1, max_size=8)
"""Words of scripts that put spaces between them."""


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("bomb", "bomb"),
        ("bomb", "A BOMB!"),
        ("Bomb", "(bomb)"),
        ("bomb", "bomb's"),
        ("straße", "Die STRAẞE dort"),
        ("two words", "say two \n\u00a0words"),
        ("c++", "I like C++11"),
        ("@home", "me@home."),
        ("敏感", "这是敏感词"),
        ("bomb", "bombは"),
        ("café", unicodedata.normalize("NFD", "un café noir")),
        (unicodedata.normalize("NFD", "café"), "un café noir"),
        ("a.c", "see a.c there"),
        (" padded ", "is padded out"),
    ],
)
def test_a_denied_word_is_found(word: str, text: str) -> None:
    """Large and small letters, any white space, other ways to write an accent, and any neighbour that is no letter."""
    assert DenyList([word], []).find(text)


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("bomb", "bombastic"),
        ("bomb", "ébomb"),
        ("bomb", "bombé"),
        ("bomb", "bomb_1"),
        ("bomb", "bomb2"),
        ("bomb", "\u0431bomb"),
        ("bomb", "bomb\u0301"),
        ("a.c", "see abc there"),
        ("two words", "twowords"),
        ("bomb", ""),
    ],
)
def test_a_part_of_a_word_is_not_the_word(word: str, text: str) -> None:
    """A letter, a digit or an accent beside it makes another word of it, in every alphabet."""
    assert not DenyList([word], []).find(text)


@given(LETTERS, LETTERS)
def test_a_word_is_found_among_others_and_not_inside_one(word: str, other: str) -> None:
    """Whole words count, whatever letters they have."""
    deny = DenyList([word], [])
    assert deny.find(f"{other} {word}, {other}")
    assert not deny.find(f"{other}{word}")


def test_patterns_are_found() -> None:
    """Patterns mind the letters' size unless they say otherwise, and are looked for anywhere."""
    deny = DenyList([], [r"secret-\d+", r"(?i)project\s+x"])
    assert deny.find("the secret-42 file")
    assert deny.find("PROJECT  X")
    assert not deny.find("Secret-42")
    assert not deny.find("secret-")


@pytest.mark.parametrize(
    ("pattern", "text", "is_found"),
    [
        ("foo$", "a foo", False),
        ("foo$", "a foo ", False),
        ("foo", "a foo", False),
        ("foo", "a foo ", True),
        (r"foo\b", "a foo", False),
        (r"foo\b", "a foo.", True),
        (r"foo\b", "a foot", False),
        (r"foo\B", "a foot", True),
        ("foo", "a fooü", True),
        ("foo", "", False),
    ],
)
def test_a_text_that_goes_on_is_judged_by_what_cannot_change(pattern: str, text: str, *, is_found: bool) -> None:
    """What stands at the very end may yet become something else; one character later it cannot."""
    assert DenyList([], [pattern]).find(text, goes_on=True) is is_found


def test_a_word_at_the_end_may_become_a_longer_one() -> None:
    """It counts when the text ends there, or when what follows shows that it was whole."""
    deny = DenyList(["bomb"], [])
    assert deny.find("a bomb")
    assert not deny.find("a bomb", goes_on=True)
    assert not deny.find("a bombas", goes_on=True)
    assert deny.find("a bomb. ", goes_on=True)


def test_what_is_skipped_is_only_looked_at_as_a_neighbour() -> None:
    """The text begins there for nobody: neither `^` nor a word's edge."""
    assert not DenyList([], ["^foo"]).find("ßfoo", skip=1)
    assert not DenyList([], [r"\bfoo"]).find("xfoo", skip=1)
    assert DenyList([], [r"\bfoo"]).find(" foo", skip=1)
    assert not DenyList([], ["foo"]).find("foo", skip=1)


def test_the_time_grows_with_the_text_only() -> None:
    """A pattern that takes others for ever is through a million characters at once."""
    deny = DenyList([], ["(a+)+$", "(a|aa)+b"])
    began = time.process_time()
    assert not deny.find("a" * 1_000_000 + "!")
    assert time.process_time() - began < 1


def test_many_words_are_no_trouble() -> None:
    """A list of ten thousand words is looked for in one go."""
    deny = DenyList([f"word{number}x" for number in range(10_000)], [])
    assert deny.find("there is word9999x in it")
    assert not deny.find("there is word10000x in it")


@pytest.mark.parametrize(
    ("words", "patterns", "sentence"),
    [
        ([], ["("], "rules.deny_patterns: '(' is no regular expression that RE2 understands: missing ): (."),
        (
            [],
            ["fine", r"(a)\1"],
            r"rules.deny_patterns: '(a)\1' is no regular expression that RE2 understands: invalid escape sequence: \1.",
        ),
        (
            [],
            ["x*"],
            "rules.deny_patterns: 'x*' matches where nothing is said, so it would refuse every request.",
        ),
        ([], [r"\pL{1000}"], r"rules.deny_patterns: '\pL{1000}' needs too much memory. Make it shorter."),
        (["fine", "  "], [], "rules.deny_words: one of the words is blank. Take it out."),
    ],
)
def test_what_cannot_be_used_is_told(words: list[str], patterns: list[str], sentence: str) -> None:
    """One sentence names the setting and what is wrong with it."""
    with pytest.raises(ScreenUnusable) as caught:
        DenyList(words, patterns)
    assert str(caught.value) == sentence


def test_a_missing_library_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever denies something without the extra reads the command that installs it."""
    monkeypatch.setattr("vllm_gateway.admission.screen.patterns.find_spec", lambda _: None)
    with pytest.raises(ScreenUnusable, match=r"pip install 'vllm-gateway\[patterns\]'"):
        DenyList(["word"], [])


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    """The library's own log stays silent about a pattern that is none."""
    with pytest.raises(ScreenUnusable):
        DenyList([], ["["])
    sys.stdout.flush()
    assert capfd.readouterr() == ("", "")
