"""`--fail-if`: conditions on the figures, as `p99_ttft_ms > 300 or error_rate > 1%`.

    condition  := alternative { "or" alternative }
    alternative := term { "and" term }
    term       := "(" condition ")" | NAME COMPARISON NUMBER [ "%" ]
    COMPARISON := ">" | ">=" | "<" | "<=" | "==" | "!="

A percent sign divides by a hundred. A figure that was not measured fails the run, because nobody can say that it is
within its bounds.
"""

import difflib
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

_PART = re.compile(
    r"\s*(?:(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_][\w.]*)|(?P<sign>[<>]=?|==|!=|[()%]))"
)
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}
_WORDS = ("and", "or")


class ConditionMalformed(ValueError):
    """It is no condition; `str()` of it is one sentence that says why."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One figure against one number."""

    name: str
    sign: str
    number: float

    def holds(self, figures: Mapping[str, float | None]) -> bool:
        """Say whether it is so; a figure that was not measured makes it so."""
        value = figures.get(self.name)
        return value is None or _COMPARISONS[self.sign](value, self.number)

    def names(self) -> Iterable[str]:
        """Return the figures it asks for."""
        return (self.name,)


@dataclass(frozen=True, slots=True)
class Every:
    """All of these hold."""

    terms: tuple["Condition", ...]

    def holds(self, figures: Mapping[str, float | None]) -> bool:
        """Say whether it is so."""
        return all(term.holds(figures) for term in self.terms)

    def names(self) -> Iterable[str]:
        """Return the figures they ask for."""
        return [name for term in self.terms for name in term.names()]


@dataclass(frozen=True, slots=True)
class Some:
    """At least one of these holds."""

    terms: tuple["Condition", ...]

    def holds(self, figures: Mapping[str, float | None]) -> bool:
        """Say whether it is so."""
        return any(term.holds(figures) for term in self.terms)

    def names(self) -> Iterable[str]:
        """Return the figures they ask for."""
        return [name for term in self.terms for name in term.names()]


Condition = Comparison | Every | Some


def parse(text: str, known: Iterable[str]) -> Condition:
    """Return the condition that a text says; raise `ConditionMalformed` for another text or an unknown figure."""
    parser = _Parser(text)
    condition = parser.condition()
    parser.finish()
    names = list(known)
    for name in condition.names():
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise ConditionMalformed(f"--fail-if {text}: there is no figure '{name}'.{hint}")
    return condition


class _Parser:
    """Reads a text from its first part to its last."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._parts = list(self._split(text))
        self._at = 0

    def condition(self) -> Condition:
        terms = [self._alternative()]
        while self._take("or"):
            terms.append(self._alternative())
        return terms[0] if len(terms) == 1 else Some(tuple(terms))

    def finish(self) -> None:
        if self._at < len(self._parts):
            raise self._mistake(f"'{self._next}' is not expected there")

    def _alternative(self) -> Condition:
        terms = [self._term()]
        while self._take("and"):
            terms.append(self._term())
        return terms[0] if len(terms) == 1 else Every(tuple(terms))

    def _term(self) -> Condition:
        if self._take("("):
            condition = self.condition()
            if not self._take(")"):
                raise self._mistake("a parenthesis is not closed")
            return condition
        name, sign, number = self._any(), self._any(), self._any()
        if not re.fullmatch(r"[A-Za-z_][\w.]*", name) or name in _WORDS or sign not in _COMPARISONS:
            raise self._mistake("it takes a figure, a comparison and a number, as in p99_ttft_ms > 300")
        try:
            value = float(number)
        except ValueError as mistake:
            raise self._mistake(f"a number should follow {name} {sign}") from mistake
        return Comparison(name, sign, value / 100 if self._take("%") else value)

    def _split(self, text: str) -> Iterable[str]:
        at = 0
        while text[at:].strip():
            found = _PART.match(text, at)
            if found is None:
                raise self._mistake(f"'{text[at:].strip()}' is not understood")
            yield found[0].strip()
            at = found.end()

    @property
    def _next(self) -> str:
        return self._parts[self._at] if self._at < len(self._parts) else ""

    def _take(self, part: str) -> bool:
        is_there = self._next == part
        self._at += is_there
        return is_there

    def _any(self) -> str:
        part = self._next
        self._at += 1
        return part

    def _mistake(self, what: str) -> ConditionMalformed:
        return ConditionMalformed(f"--fail-if {self._text}: {what}.")
