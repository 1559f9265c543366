r"""Words and patterns that are denied, compiled once. RE2 matches in a time that grows with the text and nothing else.

The library takes texts as UTF-8, and looks at what stands around the part that it is to search: `^`, `$` and `\b` know
whether the text goes on there.
"""

import unicodedata
from collections.abc import Iterable
from importlib.util import find_spec
from typing import Any

_WORDS_BYTES = 64 * 1024 * 1024
"""Most memory for all words together; some hundred thousand fit."""
_PATTERN_BYTES = 8 * 1024 * 1024
"""Most memory for one pattern."""

_UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
"""Letters of scripts that put no space between words: next to one of them a word may begin or end anywhere."""
_NO_LETTER = rf"(?:[^\pL\pN\pM_]|{_UNSPACED})"
_SPACE = r"[\s\pZ]+"


class ScreenUnusable(Exception):
    """The deny-list of the settings cannot be used; `str()` of it is what to do."""


class DenyList:
    """What is denied.

    Raises:
        ScreenUnusable: a pattern is none, or the library that matches is not installed.
    """

    def __init__(self, words: Iterable[str], patterns: Iterable[str]) -> None:
        if find_spec("re2") is None:
            raise ScreenUnusable(
                "rules.deny_words and rules.deny_patterns need a library that is not installed. "
                "Run: pip install 'vllm-gateway[patterns]'"
            )
        self._all = [_pattern(each) for each in patterns]
        if written := [*words]:
            self._all.append(_any_word(written))

    def find(self, text: str, *, skip: int = 0, goes_on: bool = False) -> bool:
        """Say whether something denied stands in `text`, behind its first `skip` characters.

        When the text `goes_on`, that counts only if no continuation can undo it: a word at the very end may yet become
        a longer one.
        """
        written = text.encode("utf-8", "replace")
        begin = len(text[:skip].encode("utf-8", "replace"))
        end = len(written) - len(text[-1:].encode("utf-8", "replace")) if goes_on else len(written)
        return any(each.search(written, begin, end) is not None for each in self._all)


def _pattern(pattern: str) -> Any:  # noqa: ANN401 - the library has no types
    """Compile a pattern of the settings."""
    place = f"rules.deny_patterns: '{pattern}'"
    compiled = _compiled(pattern, place, max_bytes=_PATTERN_BYTES)
    if compiled.search(b"") is not None:
        raise ScreenUnusable(f"{place} matches where nothing is said, so it would refuse every request.")
    return compiled


def _any_word(words: list[str]) -> Any:  # noqa: ANN401 - the library has no types
    """Compile one expression for all words; those that need the same at their edges share it."""
    groups: dict[tuple[bool, bool], list[str]] = {}
    for word in words:
        if not word.strip():
            raise ScreenUnusable("rules.deny_words: one of the words is blank. Take it out.")
        for form in dict.fromkeys(unicodedata.normalize(kind, word) for kind in ("NFC", "NFD")):
            edges = (_is_letter(form.split()[0][0]), _is_letter(form.split()[-1][-1]))
            groups.setdefault(edges, []).append(_SPACE.join(_escaped(part) for part in form.split()))
    alternatives = [
        (f"(?:^|{_NO_LETTER})" if begins else "") + f"(?:{'|'.join(forms)})" + (f"(?:$|{_NO_LETTER})" if ends else "")
        for (begins, ends), forms in groups.items()
    ]
    return _compiled("|".join(alternatives), "rules.deny_words", max_bytes=_WORDS_BYTES, is_cased=False)


def _compiled(pattern: str, place: str, *, max_bytes: int, is_cased: bool = True) -> Any:  # noqa: ANN401 - no types
    import re2  # noqa: PLC0415 - an extra, needed only where something is denied

    options = re2.Options()
    options.max_mem = max_bytes
    options.case_sensitive = is_cased
    options.never_capture = True
    options.log_errors = False
    try:
        return re2.compile(pattern.encode(), options)
    except re2.error as error:
        reason = error.args[0].decode("utf-8", "replace")
        if "too large" in reason:
            raise ScreenUnusable(f"{place} needs too much memory. Make it shorter.") from None
        raise ScreenUnusable(f"{place} is no regular expression that RE2 understands: {reason}.") from None


def _is_letter(character: str) -> bool:
    """Say whether this is part of a word whose neighbour must be none."""
    import re2  # noqa: PLC0415 - an extra, needed only where something is denied

    return re2.search(_NO_LETTER, character) is None


def _escaped(text: str) -> str:
    import re2  # noqa: PLC0415 - an extra, needed only where something is denied

    escaped: str = re2.escape(text)
    return escaped
