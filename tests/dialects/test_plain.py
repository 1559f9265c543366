"""The shape of errors of the compatibility routes."""

import pytest
from pydantic import BaseModel, Field

from vllm_gateway import codec
from vllm_gateway.dialects.plain import Plain, invalid_fields, missing, read_as
from vllm_gateway.errors import (
    BodyInvalid,
    BodyMalformed,
    FieldInvalid,
    GatewayError,
    ModelAmbiguous,
    ModelUnknown,
    ReplicaSilent,
    SessionUnknown,
)


class Body(BaseModel):
    """Something to read."""

    count: int = Field(ge=0)
    stop: str | list[str] | None = None


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ModelUnknown("x"), 409),
        (ModelAmbiguous("x"), 409),
        (BodyMalformed("x"), 422),
        (FieldInvalid("x"), 422),
        (missing("x"), 422),
        (SessionUnknown("x"), 404),
        (ReplicaSilent("x"), 504),
    ],
)
def test_statuses_are_those_that_these_routes_always_had(error: GatewayError, status: int) -> None:
    """Most are the error's own."""
    assert Plain().status(error) == status


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (SessionUnknown("Gone."), "Gone."),
        (BodyMalformed("No."), [{"type": "json_invalid", "loc": ["body"], "msg": "No.", "input": {}}]),
        (
            FieldInvalid("No.", param="n"),
            [{"type": "value_error", "loc": ["body", "n"], "msg": "No.", "input": None}],
        ),
        (FieldInvalid("No."), [{"type": "value_error", "loc": ["body"], "msg": "No.", "input": None}]),
        (missing("a"), [{"type": "missing", "loc": ["body", "a"], "msg": "Field required", "input": None}]),
    ],
)
def test_readers_of_either_shape_find_theirs(error: GatewayError, detail: object) -> None:
    """`detail` as FastAPI writes it, and `error` as OpenAI does, in one body."""
    body = codec.loads(Plain().fault(error, "r"))
    assert body["detail"] == detail
    assert body["error"]["message"] == error.message
    assert sorted(body["error"]) == ["code", "message", "param", "type"]


def test_a_replicas_error_is_written_anew() -> None:
    """It has no `detail`."""
    assert not Plain().is_fault({"error": {"message": "x"}})


def test_a_good_body_is_read() -> None:
    """Into its model."""
    assert read_as(Body, {"count": 3}).count == 3


def test_every_fault_of_a_body_is_told() -> None:
    """Where, what, and what was sent; the sentence is about the first."""
    with pytest.raises(BodyInvalid) as refusal:
        read_as(Body, {"count": -1, "stop": 5})
    first, *others = refusal.value.detail
    assert first == {
        "type": "greater_than_equal",
        "loc": ["body", "count"],
        "msg": "Input should be greater than or equal to 0",
        "input": -1,
    }
    assert {fault["loc"][1] for fault in others} == {"stop"}
    assert refusal.value.message == "'count': Input should be greater than or equal to 0."
    assert refusal.value.param == "count"


def test_a_place_is_told_without_the_kinds_that_were_tried() -> None:
    """A field that takes texts or lists is called by its name."""
    with pytest.raises(BodyInvalid) as refusal:
        read_as(Body, {"count": 1, "stop": {}})
    assert refusal.value.param == "stop"
    assert refusal.value.message.startswith("'stop': ")


def test_what_was_sent_is_shown_only_while_it_is_short_and_sound() -> None:
    """Long texts are cut, objects are left out, half characters become question marks."""
    faults = [
        {"type": "t", "loc": ["body", "x"], "msg": "m", "input": value}
        for value in ("y" * 500, {"deep": 1}, "\ud800", 1.5, True)
    ]
    shown = [fault["input"] for fault in invalid_fields(faults).detail]
    assert shown == ["y" * 100 + "...", None, "?", 1.5, True]


def test_no_more_than_some_faults_are_told() -> None:
    """A thousand wrong messages make no megabyte of an answer."""
    fault = {"type": "t", "loc": ["body", "x"], "msg": "m", "input": None}
    assert len(invalid_fields([fault] * 1000).detail) == 20


@pytest.mark.parametrize(
    ("sent", "shown"), [(5, 5), (-(2**53), -(2**53)), (2**64, None), (10**30, None), (True, True), (0.5, 0.5)]
)
def test_a_number_is_shown_again_while_json_can_hold_it(sent: object, shown: object) -> None:
    """One beyond 64 bits cannot be written at all."""
    fault = {"type": "string_type", "loc": ["body", "key"], "msg": "No", "input": sent}
    body = codec.loads(Plain().fault(invalid_fields([fault]), "r"))
    assert body["detail"][0]["input"] == shown
