"""No file and no function grows too long to be read."""

from pathlib import Path

import pytest

from tests.house.files import modules, written_files
from tests.house.sizes import MOST_FILE_LINES, MOST_FUNCTION_LINES, too_long


def test_everything_can_be_read_in_one_go() -> None:
    """A file stays under 400 lines and a function under 60, in the sources, the tests and the scripts."""
    assert [line for path in modules(written_files()) for line in too_long(path)] == []


@pytest.mark.parametrize("keyword", ["def", "async def"])
def test_the_rule_sees_a_long_function(tmp_path: Path, keyword: str) -> None:
    """Sixty lines may stand, one more may not; a function inside a class or a function counts by itself."""
    module = tmp_path / "module.py"
    body = "        pass\n" * (MOST_FUNCTION_LINES - 1)
    module.write_text(f"class Room:\n    {keyword} fit(self):\n{body}")
    assert too_long(module) == []
    module.write_text(f"class Room:\n    {keyword} fit(self):\n{body}        pass\n")
    assert too_long(module) == ["module.py:2: fit has 61 lines"]


def test_the_rule_sees_a_long_file(tmp_path: Path) -> None:
    """Four hundred lines may stand, one more may not."""
    module = tmp_path / "module.py"
    module.write_text("x = 1\n" * MOST_FILE_LINES)
    assert too_long(module) == []
    module.write_text("x = 1\n" * (MOST_FILE_LINES + 1))
    assert too_long(module) == ["module.py: 401 lines, 400 are allowed"]
