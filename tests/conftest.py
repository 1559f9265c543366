"""What all tests share: the event loop that the gateway runs on, the lane, and patience with a slow machine."""

import asyncio
import os
import sys
from collections.abc import Callable, Iterator, Mapping

import pytest
from hypothesis import settings

from tests import lanes
from tests.left_open import WatchedLoop

# These check for many tests: a check that fails there shows both sides, as one in a test does.
pytest.register_assert_rewrite("tests.wire.documented", "tests.wire.refused", "tests.wire.talking")

settings.register_profile("patient", deadline=None)  # a busy machine is no defect
settings.load_profile("patient")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the replica that dies do so as often as one likes, and all tests take one lane."""
    parser.addoption("--rounds", type=int, default=1, help="how often a real replica is killed in mid-stream")
    parser.addoption("--lane", choices=lanes.LANES, help="the only lane; without it express, and both where marked so")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Run half as many processes again as there are cores: tests of servers wait as long as they compute."""
    return (os.cpu_count() or 1) * 3 // 2


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what is marked so on both lanes."""
    if metafunc.config.getoption("--lane") is None and metafunc.definition.get_closest_marker(lanes.MARKER):
        metafunc.parametrize("lane", lanes.LANES, indirect=True)


@pytest.fixture(autouse=True)
def lane(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Give the lane that the test's gateways take, be they in this process or in one of their own."""
    before = lanes.Lane.now
    lanes.Lane.now = getattr(request, "param", None) or request.config.getoption("--lane") or lanes.LANES[0]
    if lanes.Lane.now != lanes.LANES[0]:
        monkeypatch.setenv("GATEWAY_EDGE__EXPRESS", "false")
    yield lanes.Lane.now
    lanes.Lane.now = before


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run tests on uvloop, as the gateway does, where there is one, and see to it that they leave nothing open."""
    return {"asyncio" if sys.platform == "win32" else "uvloop": WatchedLoop}
