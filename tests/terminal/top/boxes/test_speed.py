"""How many tokens the fleet reads and makes."""

from dataclasses import replace

import pytest

from tests.terminal.top.boxes.painting import SCENE, painted, texts
from vllm_gateway.terminal.top.boxes.speed import ceiling, paint_speed
from vllm_gateway.terminal.top.history import History
from vllm_gateway.terminal.top.ink import cells, plain
from vllm_gateway.terminal.top.picture import Picture


@pytest.mark.parametrize(
    ("value", "most"), [(0, 1), (1, 1), (1.1, 2), (3, 5), (7, 10), (10, 10), (433, 500), (5001, 10000)]
)
def test_a_graph_ends_at_a_round_number(value: float, most: float) -> None:
    """So that it does not change its scale with every value."""
    assert ceiling(value) == most


def test_answers_stand_above_prompts() -> None:
    """Each with its figure and its scale, and with a graph as wide as the box."""
    lines = texts("speed", 60, 12)
    assert lines[0].startswith(" out 3.9k/s of ")
    assert lines[5].startswith(" in 23k/s of ")
    assert all(any("⠀" < letter <= "⣿" for letter in line) for line in (lines[4], lines[9]))


@pytest.mark.parametrize("height", [2, 3, 4, 5])
def test_a_low_box_shows_what_it_can(height: int) -> None:
    """Figures before graphs, answers before prompts."""
    lines = painted("speed", 40, height)
    assert [cells(line) for line in lines] == [40] * height
    assert len(texts("speed", 40, height)) == height - 2


def test_before_the_first_value_there_is_nothing() -> None:
    """But figures, and the least scale that there is."""
    before = replace(SCENE, picture=Picture(), history=History())
    lines = [plain(line)[1:-1].rstrip() for line in paint_speed(before, 40, 8)[1:-1]]
    assert [line for line in lines if line] == [" out 0/s of 1", " in 0/s of 1"]
