"""Error bodies."""

import pytest
from pydantic import BaseModel, ValidationError

from vllm_gateway import codec
from vllm_gateway.sim.api import problems
from vllm_gateway.sim.api.problems import Problem


class Shape(BaseModel):
    """Something with fields."""

    numbers: list[int] | None = None


def test_the_two_shapes_of_a_problem() -> None:
    """OpenAI's with param and code; Anthropic's without."""
    problem = Problem("No.", status=404, kind="NotFoundError", param="model")
    openai = {"message": "No.", "type": "NotFoundError", "param": "model", "code": 404}
    assert codec.loads(problem.body) == {"error": openai}
    anthropic = {"type": "error", "error": {"type": "NotFoundError", "message": "No."}}
    assert codec.loads(problem.for_anthropic().body) == anthropic


def mismatch(value: object) -> Problem:
    """Return the problem of a value for `numbers`."""
    with pytest.raises(ValidationError) as told:
        Shape.model_validate({"numbers": value})
    return problems.mismatched(told.value)


def test_many_mistakes_are_counted_and_ten_told() -> None:
    """An error body stays small however many mistakes there are, and shows no more of a value than it has to."""
    message = mismatch(["x" * 500] * 30).message
    assert message.startswith("30 validation errors:\n")
    assert message.count("\n") == 11
    assert message.endswith("...and 20 more errors")
    assert "...[truncated]" in message
    assert len(message) < 6000


def test_the_place_of_a_mistake_has_no_internals() -> None:
    """A union's branches are not part of the name that a caller sent."""
    assert mismatch(["x"]).param == "body.numbers.0"


def test_the_error_inside_a_stream_is_spaced_as_vllms() -> None:
    """It is written by another serializer there, and clients that compare bytes see it."""
    assert problems.in_band() == (
        b'data: {"error": {"message": "Internal server error", "type": "InternalServerError", '
        b'"param": null, "code": 500}}\n\n'
    )
