"""Every test says what it shows, and shows it."""

from pathlib import Path

import pytest

from tests.house.files import TESTS, modules, written_files
from tests.house.promises import undescribed, way_out

MODULES = [path for path in modules(written_files()) if path.is_relative_to(TESTS)]


def test_every_test_says_its_behaviour_in_a_sentence() -> None:
    """Its docstring is what a reader learns when it fails."""
    assert [line for path in MODULES for line in undescribed(path)] == []


def test_no_test_is_passed_over() -> None:
    """A test that is not run shows nothing; what cannot run everywhere is chosen by its marker instead."""
    assert [line for path in MODULES for line in way_out(path)] == []


def test_the_rule_sees_a_test_without_a_sentence(tmp_path: Path) -> None:
    """In a class or at the top, awaited or not; an empty sentence is none."""
    module = tmp_path / "test_it.py"
    module.write_text(
        'def test_a():\n    """Say it."""\n'
        "def test_b():\n    pass\n"
        'class TestIt:\n    async def test_c(self):\n        """ """\n'
        "def fixture():\n    pass\n"
    )
    assert undescribed(module) == [
        "test_it.py:3: test_b does not say what it shows",
        "test_it.py:6: test_c does not say what it shows",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "import pytest\n@pytest.mark.skip\ndef test_a(): ...\n",
        "import pytest\n@pytest.mark.skipif(True, reason='x')\ndef test_a(): ...\n",
        "import pytest\n@pytest.mark.xfail(strict=True)\ndef test_a(): ...\n",
        "import pytest\nhttpx = pytest.importorskip('httpx')\n",
        "import pytest as p\ndef test_a(): p.skip('not today')\n",
        "from pytest import skip\n",
        "import unittest\n@unittest.skipUnless(True, 'x')\ndef test_a(): ...\n",
    ],
)
def test_the_rule_sees_a_way_out(tmp_path: Path, text: str) -> None:
    """However it is written."""
    module = tmp_path / "test_it.py"
    module.write_text(text)
    assert len(way_out(module)) == 1


def test_the_rule_lets_words_stand(tmp_path: Path) -> None:
    """To speak of skipping is not to skip."""
    module = tmp_path / "test_it.py"
    module.write_text('def test_a():\n    """Never skip."""\n    skip = "xfail"\n    assert skip\n')
    assert way_out(module) == []
