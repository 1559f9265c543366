"""Problems as people read them."""

from vllm_gateway.settings import Problem, SettingsInvalid


def test_a_problem_is_one_line_with_origin_and_place() -> None:
    """The line says where the value came from, which setting it is, and what to do."""
    problem = Problem("gateway.yaml:3", "must be a number", ("timeouts", "idle_s"))
    assert problem.line == "gateway.yaml:3: timeouts.idle_s must be a number"
    assert Problem(".env:4", "must have the form NAME=value").line == ".env:4: must have the form NAME=value"


def test_all_problems_are_kept_once_and_in_order() -> None:
    """The error holds every problem, the same one only once."""
    first, second = Problem("a", "x"), Problem("b", "y")
    invalid = SettingsInvalid([first, second, first])
    assert invalid.problems == (first, second)
    assert str(invalid) == "a: x\nb: y"
