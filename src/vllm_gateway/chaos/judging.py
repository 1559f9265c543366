"""The verdict on one answer, and on all answers of a scenario; pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from http import HTTPStatus

from vllm_gateway.chaos.answer import Answer, Counted, message_of


class Grade(IntEnum):
    """How good an answer is; a higher one is better."""

    FAIL = 0
    SAFE = 1
    PARTIAL = 2
    PASS = 3

    @property
    def label(self) -> str:
        """Its name as it is printed."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Verdict:
    """A grade, and a sentence about what is less than good."""

    grade: Grade
    reason: str = ""


PASSED = Verdict(Grade.PASS)


@dataclass(frozen=True, slots=True)
class Expected:
    """What an undisturbed replica answers."""

    text: str
    finish: str
    usage: Counted
    is_stream: bool = True
    is_chat: bool = True
    asks_usage: bool = True


@dataclass(frozen=True, slots=True)
class Refusal:
    """The error that is to reach the caller as the replica wrote it."""

    status: int
    body: bytes


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the worst verdict, the first of its kind; what was not judged at all has failed."""
    return min(verdicts, key=lambda verdict: verdict.grade, default=Verdict(Grade.FAIL, "nothing was judged"))


def judge(answer: Answer, expected: Expected, *, late_s: float) -> Verdict:
    """Judge an answer that was possible, because a replica that could give it stood ready."""
    if missing := _missing(answer):
        return Verdict(Grade.FAIL, missing)
    if answer.status != HTTPStatus.OK:
        return Verdict(Grade.FAIL, f"{answer.status} although a replica stood ready")
    if answer.garbage and answer.is_whole:
        return Verdict(Grade.FAIL, "an event that cannot be read was passed on")
    if answer.errors or not answer.is_whole:
        return _judge_broken(answer, expected)
    if answer.text != expected.text:
        return Verdict(Grade.FAIL, _difference(answer.text, expected.text))
    return _blemished([*_blemishes(answer, expected), *_lateness(answer, late_s)])


def judge_refusal(answer: Answer, expected: Refusal, *, late_s: float) -> Verdict:
    """Judge an answer that should be the replica's own error."""
    if missing := _missing(answer):
        return Verdict(Grade.FAIL, missing)
    if answer.status == HTTPStatus.OK:
        return Verdict(Grade.FAIL, "an answer where only an error is right")
    if answer.status != expected.status:
        return Verdict(Grade.SAFE, f"{answer.status} in place of {expected.status}")
    told, wanted = message_of(answer.body), message_of(expected.body)
    if told is None or wanted is None or wanted not in told:
        return Verdict(Grade.SAFE, "another error than the replica's")
    written_anew = ["the replica's error was written anew"] if answer.body != expected.body else []
    return _blemished([*written_anew, *_lateness(answer, late_s)])


def _missing(answer: Answer) -> str | None:
    """Say that there is no answer at all, or that nothing ended it."""
    if answer.is_hung:
        return f"nothing ended it for {answer.seconds:.0f} s"
    if answer.status is None:
        return "the connection closed without an answer"
    return None


def _blemished(blemishes: list[str]) -> Verdict:
    return Verdict(Grade.PARTIAL, ", ".join(blemishes)) if blemishes else PASSED


def _judge_broken(answer: Answer, expected: Expected) -> Verdict:
    """Judge a stream that the caller can see is broken: that is honest as long as nothing before it is wrong."""
    if not expected.text.startswith(answer.text):
        return Verdict(Grade.FAIL, _difference(answer.text, expected.text))
    if answer.errors and answer.dones:
        return Verdict(Grade.FAIL, "[DONE] behind an error")
    if answer.dones or answer.finishes:
        return Verdict(Grade.FAIL, "broken off behind its end")
    return Verdict(Grade.SAFE, "an honest error event" if answer.errors else "visibly broken off")


def _blemishes(answer: Answer, expected: Expected) -> Iterable[str]:
    if answer.finishes != [expected.finish]:
        yield f"finish reasons {answer.finishes}, wanted {expected.finish}"
    if expected.is_stream:
        yield from _blemishes_of_stream(answer, expected)
    if answer.tells_token_ids:
        yield "token ids that nobody asked for"
    if not expected.asks_usage:
        if answer.usages:
            yield "usage that nobody asked for"
    elif answer.usages != [expected.usage]:
        yield f"usage {[tuple(usage) for usage in answer.usages]}, wanted {tuple(expected.usage)}"


def _blemishes_of_stream(answer: Answer, expected: Expected) -> Iterable[str]:
    if answer.dones != 1:
        yield f"{answer.dones} [DONE]"
    if answer.late:
        yield "events behind [DONE]"
    if answer.roles != expected.is_chat:
        yield f"{answer.roles} roles"
    if len(answer.names) != 1:
        yield "id, model or created changed on the way"


def _lateness(answer: Answer, late_s: float) -> Iterable[str]:
    if answer.seconds > late_s:
        yield f"late: {answer.seconds:.1f} s"


def _difference(text: str, wanted: str) -> str:
    """Say in what way a text is wrong."""
    if wanted.startswith(text):
        return f"ended as if complete after {len(text)} of {len(wanted)} characters"
    at = next((at for at, (one, other) in enumerate(zip(text, wanted, strict=False)) if one != other), len(wanted))
    return f"wrong text from character {at} on: {text[at : at + 20]!r}, wanted {wanted[at : at + 20]!r}"
