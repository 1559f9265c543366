"""What is to be seen, and in which order."""

import pytest

from tests.terminal.top.fleet import picture, replica
from vllm_gateway.terminal.top.picture import Picture
from vllm_gateway.terminal.top.view import SORTS, Order, View, filtered, natural, rows

FLEET = picture(12)


@pytest.mark.parametrize(("box", "by"), [(box, by) for box, sorts in SORTS.items() for by in sorts])
def test_every_column_sorts(box: str, by: str) -> None:
    """And turned over it is the other way round; nothing is lost."""
    view = View(focus=box, orders=((box, Order(by)),))
    found, key = rows(FLEET, view, box), SORTS[box][by]
    assert sorted(map(id, found)) == sorted(map(id, getattr(FLEET, box)))
    assert [key(row) for row in found] == sorted(key(row) for row in found)
    back = rows(FLEET, view.turned_over(), box)
    assert [key(row) for row in back] == sorted((key(row) for row in found), reverse=True)


def test_names_are_sorted_by_their_numbers() -> None:
    """As people count."""
    assert sorted(["gpu-10", "gpu-2", "a", "10"], key=natural) == ["10", "a", "gpu-2", "gpu-10"]


def test_the_next_column_comes_after_the_last_one_again() -> None:
    """Each box keeps its own."""
    view = View(focus="events")
    seen = []
    for _ in range(4):
        seen.append(view.order("events").by)
        view = view.sorted_by_next()
    assert seen == ["time", "outcome", "replica", "time"]
    assert view.order("replicas") == Order("name")


@pytest.mark.parametrize(
    ("words", "names"),
    [("", 3), ("tiny-2", 1), ("TINY model", 3), ("out stalled", 1), ("tiny-1 stalled", 0), ("10.0.0.2", 1)],
)
def test_a_row_is_shown_when_it_holds_all_words(words: str, names: int) -> None:
    """Wherever they stand in it, and whatever their case."""
    among = [replica(1), replica(2), replica(5)]
    assert len(filtered(among, words)) == names


def test_what_is_filtered_out_is_not_sorted_in() -> None:
    """Every box looks for the same words."""
    view = View(words="nightly")
    assert {row.caller for row in rows(FLEET, view, "requests")} == {"nightly"}
    assert [row.name for row in rows(FLEET, view, "callers")] == ["nightly"]
    assert rows(Picture(), view, "replicas") == []
