"""The verdicts."""

import pytest

from tests.chaos.scenes import told
from tests.chaos.test_answer import LAST, ROLE, TEXT, USAGE
from vllm_gateway.chaos.answer import Counted, read
from vllm_gateway.chaos.caller import Heard
from vllm_gateway.chaos.judging import Expected, Grade, Refusal, Verdict, judge, judge_refusal, worst

RIGHT = Expected("snösnö", "stop", Counted(3, 2))
WHOLE = (ROLE, TEXT, TEXT, LAST, USAGE, "[DONE]")
ERROR = '{"error":{"message":"The model server failed."}}'
OTHER_ID = LAST.replace('"id":"a"', '"id":"b"')
WRONG_USAGE = USAGE.replace(":3", ":30")
WITH_IDS = TEXT.replace('"index":0', '"index":0,"token_ids":[5]')


@pytest.mark.parametrize(
    ("events", "grade", "reason"),
    [
        (WHOLE, Grade.PASS, ""),
        (WHOLE[:-1], Grade.PARTIAL, "0 [DONE]"),
        ((*WHOLE, "[DONE]"), Grade.PARTIAL, "2 [DONE], events behind [DONE]"),
        ((ROLE, *WHOLE), Grade.PARTIAL, "2 roles"),
        ((*WHOLE[:3], LAST, LAST, *WHOLE[4:]), Grade.PARTIAL, "finish reasons ['stop', 'stop'], wanted stop"),
        ((*WHOLE[:3], OTHER_ID, *WHOLE[4:]), Grade.PARTIAL, "id, model or created changed on the way"),
        ((*WHOLE[:4], WRONG_USAGE, "[DONE]"), Grade.PARTIAL, "usage [(30, 2)], wanted (3, 2)"),
        ((*WHOLE[:4], "[DONE]"), Grade.PARTIAL, "usage [], wanted (3, 2)"),
        ((ROLE, TEXT, WITH_IDS, *WHOLE[3:]), Grade.PARTIAL, "token ids that nobody asked for"),
        ((ROLE, TEXT, ERROR), Grade.SAFE, "an honest error event"),
        ((ROLE, TEXT, ERROR, "[DONE]"), Grade.FAIL, "[DONE] behind an error"),
        ((ROLE, LAST.replace("stop", "length"), ERROR), Grade.FAIL, "broken off behind its end"),
        ((ROLE, TEXT, LAST, USAGE, "[DONE]"), Grade.FAIL, "ended as if complete after 3 of 6 characters"),
        ((ROLE, TEXT, TEXT, *WHOLE[1:]), Grade.FAIL, "wrong text from character 6 on: 'snösnö', wanted ''"),
        ((ROLE, TEXT.replace("sn", "sm"), ERROR), Grade.FAIL, "wrong text from character 1 on: 'mö', wanted 'nösnö'"),
        ((*WHOLE[:2], "{", *WHOLE[2:]), Grade.FAIL, "an event that cannot be read was passed on"),
        ((), Grade.FAIL, "ended as if complete after 0 of 6 characters"),
    ],
)
def test_a_stream_gets_the_grade_that_it_deserves(events: tuple[str, ...], grade: Grade, reason: str) -> None:
    """Nothing less than the whole answer in proper form passes, and only what is honest is safe."""
    assert judge(told(*events), RIGHT, late_s=1) == Verdict(grade, reason)


def test_a_visible_break_is_safe_unless_the_text_is_wrong() -> None:
    """A stream whose HTTP body is not complete deceives nobody, unless it was wrong before."""
    half = told(ROLE, TEXT, is_whole=False)
    assert judge(half, RIGHT, late_s=1) == Verdict(Grade.SAFE, "visibly broken off")
    assert judge(told(ROLE, TEXT, TEXT, TEXT, is_whole=False), RIGHT, late_s=1).grade is Grade.FAIL


def test_a_right_answer_may_be_late() -> None:
    """A whole answer that took too long is no more than partial."""
    assert judge(told(*WHOLE, seconds=2), RIGHT, late_s=1) == Verdict(Grade.PARTIAL, "late: 2.0 s")


def test_usage_that_was_not_asked_for_is_a_blemish() -> None:
    """What the gateway asks for itself is not for the caller."""
    quiet = Expected("snösnö", "stop", Counted(3, 2), asks_usage=False)
    assert judge(told(*WHOLE), quiet, late_s=1) == Verdict(Grade.PARTIAL, "usage that nobody asked for")
    assert judge(told(*WHOLE[:4], "[DONE]"), quiet, late_s=1).grade is Grade.PASS


def test_no_answer_is_a_failure() -> None:
    """An error, a hang and a closed connection fail while a replica could have answered."""
    hung = read(Heard(0, is_hung=True, ended_at=9), is_stream=True)
    closed = read(Heard(0), is_stream=True)
    refused = read(Heard(0, status=503, is_whole=True), is_stream=True)
    reasons = [judge(answer, RIGHT, late_s=1) for answer in (hung, closed, refused)]
    assert reasons == [
        Verdict(Grade.FAIL, "nothing ended it for 9 s"),
        Verdict(Grade.FAIL, "the connection closed without an answer"),
        Verdict(Grade.FAIL, "503 although a replica stood ready"),
    ]


@pytest.mark.parametrize(
    ("status", "body", "seconds", "grade"),
    [
        (400, '{"error":{"message":"too long","code":400}}', 0.1, Grade.PASS),
        (400, '{"error":{"message":"too long","code":400}}', 2.0, Grade.PARTIAL),
        (400, '{"error":{"message":"Error: too long"}}', 0.1, Grade.PARTIAL),
        (400, '{"error":{"message":"bad request"}}', 0.1, Grade.SAFE),
        (500, '{"error":{"message":"too long"}}', 0.1, Grade.SAFE),
        (200, "{}", 0.1, Grade.FAIL),
        (None, "", 0.1, Grade.FAIL),
    ],
)
def test_a_refusal_is_to_arrive_as_it_is(status: int | None, body: str, seconds: float, grade: Grade) -> None:
    """The replica's own error passes unchanged; an answer in its place is a failure."""
    wanted = Refusal(400, b'{"error":{"message":"too long","code":400}}')
    heard = Heard(0, status=status, body=bytearray(body.encode()), is_whole=True, ended_at=seconds)
    assert judge_refusal(read(heard, is_stream=True), wanted, late_s=1).grade is grade


def test_the_worst_verdict_counts() -> None:
    """A scenario is as good as its worst answer, and one without any has failed."""
    safe = Verdict(Grade.SAFE, "x")
    assert worst([Verdict(Grade.PASS), safe, Verdict(Grade.PARTIAL)]) is safe
    assert worst([]).grade is Grade.FAIL
    assert [grade.label for grade in Grade] == ["fail", "safe", "partial", "pass"]
