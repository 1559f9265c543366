"""What a source gives."""

from vllm_gateway.settings import Assignment, Problem
from vllm_gateway.settings.sources.reading import Reading


def test_readings_add_up() -> None:
    """Values and problems of several sources are kept in order."""
    reading = Reading()
    reading.add([Assignment(("port",), 1, "a")], [Problem("a", "x")])
    reading.add([Assignment(("port",), 2, "b")], [Problem("b", "y")])
    assert [one.value for one in reading.assignments] == [1, 2]
    assert [problem.origin for problem in reading.problems] == ["a", "b"]
