"""Every module has its place, its name and its tests."""

from pathlib import Path

import pytest

from tests.house.files import SOURCE, TESTS, modules, written_files
from tests.house.rooms import FORBIDDEN_NAMES, ill_named, small_rooms, without_twin

SMALL_ROOMS: dict[str, str] = {}
"""Rooms for a single module, and why each may stay."""


def test_every_module_has_its_twin() -> None:
    """`src/vllm_gateway/x/y.py` is tested in `tests/x/test_y.py`."""
    assert without_twin(SOURCE, TESTS) == []


def test_a_room_is_opened_for_several_modules() -> None:
    """A folder around one file hides it; the exceptions are listed with a reason, and only as long as they last."""
    assert small_rooms(SOURCE, SMALL_ROOMS) == []
    assert all(SMALL_ROOMS.values())


def test_modules_are_named_for_what_they_know() -> None:
    """A name that fits everything collects everything."""
    assert ill_named(modules(written_files())) == []


def files(root: Path, *places: str) -> None:
    """Make empty files."""
    for place in places:
        path = root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_the_rule_sees_a_missing_twin(tmp_path: Path) -> None:
    """At the same place and with the same name; the door of a room needs none."""
    source, tests = tmp_path / "src", tmp_path / "tests"
    files(source, "__init__.py", "__main__.py", "clock.py", "edge/__init__.py", "edge/lane.py")
    files(tests, "test_lane.py", "edge/lane.py", "edge/test_clock.py")
    assert without_twin(source, tests) == [
        "clock.py has no tests/test_clock.py",
        "edge/lane.py has no tests/edge/test_lane.py",
    ]
    files(tests, "test_clock.py", "edge/test_lane.py")
    assert without_twin(source, tests) == []


def test_the_rule_sees_a_room_for_a_single_module(tmp_path: Path) -> None:
    """A second module or a room inside makes it large enough; a permission must be needed."""
    files(tmp_path, "__init__.py", "alone/__init__.py", "alone/one.py", "pair/__init__.py", "pair/a.py", "pair/b.py")
    files(tmp_path, "nest/__init__.py", "nest/a.py", "nest/inner/__init__.py", "nest/inner/a.py", "nest/inner/b.py")
    assert small_rooms(tmp_path, {}) == ["alone is a room for a single module"]
    assert small_rooms(tmp_path, {"alone": "reason"}) == []
    assert small_rooms(tmp_path, {"alone": "reason", "pair": "reason"}) == [
        "pair is not a room for a single module any more"
    ]


@pytest.mark.parametrize("name", sorted(FORBIDDEN_NAMES))
def test_the_rule_sees_a_name_that_says_nothing(tmp_path: Path, name: str) -> None:
    """As a module, as its tests, and as a folder."""
    bad = [tmp_path / f"{name}.py", tmp_path / f"test_{name}.py", tmp_path / name / "lane.py"]
    assert len(ill_named([*bad, tmp_path / "lane.py", tmp_path / f"{name}_x.py"])) == len(bad)
