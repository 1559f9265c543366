"""What all tests share: the event loop that the gateway runs on, and patience with a slow machine."""

import asyncio
import sys
from collections.abc import Callable, Mapping

import pytest
from hypothesis import settings

from tests.left_open import WatchedLoop

# These check for many tests: a check that fails there shows both sides, as one in a test does.
pytest.register_assert_rewrite("tests.wire.documented", "tests.wire.refused", "tests.wire.talking")

settings.register_profile("patient", deadline=None)  # a busy machine is no defect
settings.load_profile("patient")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the replica that dies do so as often as one likes."""
    parser.addoption("--rounds", type=int, default=1, help="how often a real replica is killed in mid-stream")


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run tests on uvloop, as the gateway does, where there is one, and see to it that they leave nothing open."""
    return {"asyncio" if sys.platform == "win32" else "uvloop": WatchedLoop}
