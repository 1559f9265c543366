"""A program that is kept running."""

import asyncio
import sys

from tests.waiting import until
from tests.wire.programs import CLEAN
from vllm_gateway.clock import SystemClock
from vllm_gateway.launch.child import Child


def child(program: str, said: list[str]) -> Child:
    """Return a Python program whose lines are kept."""
    return Child("it", [sys.executable, "-c", program], CLEAN, say=said.append, clock=SystemClock(), first_pause_s=0.01)


async def test_its_lines_are_passed_on() -> None:
    """Those for errors too, in their order."""
    said: list[str] = []
    one = child("import sys, time\nprint('a', flush=True)\nprint('b', file=sys.stderr)\ntime.sleep(600)", said)
    keeping = asyncio.get_running_loop().create_task(one.keep())
    await until(lambda: said[:2] == ["a", "b"])
    assert one.is_running
    await one.stop(within_s=30)
    await keeping
    assert not one.is_running


async def test_one_that_ends_is_started_again() -> None:
    """Each time it is told; what has to be done before is done."""
    said: list[str] = []
    done: list[int] = []
    one = child("raise SystemExit(3)", said)

    async def before() -> None:
        done.append(one.starts)

    keeping = asyncio.get_running_loop().create_task(one.keep(before))
    await until(lambda: one.starts >= 3)
    await one.stop(within_s=30)
    await keeping
    assert done[:2] == [1, 2]
    assert any("ended with status 3" in line and "started again" in line for line in said)


async def test_one_that_does_not_listen_is_killed_with_all_that_it_started() -> None:
    """Nothing is left running."""
    said: list[str] = []
    deaf = "import signal, subprocess, sys, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    deaf += "other = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    deaf += "print(other.pid, flush=True)\ntime.sleep(600)"
    one = child(deaf, said)
    keeping = asyncio.get_running_loop().create_task(one.keep())
    await until(lambda: bool(said))
    await one.stop(within_s=0.1)
    await keeping
    assert any("is killed" in line for line in said)
    await until(lambda: not _lives(int(said[0])))


async def test_what_cannot_be_started_is_told() -> None:
    """It may be there the next time."""
    said: list[str] = []
    one = Child("it", ["/nowhere/program"], CLEAN, say=said.append, clock=SystemClock(), first_pause_s=0.01)
    keeping = asyncio.get_running_loop().create_task(one.keep())
    await until(lambda: one.starts >= 2)
    await one.stop(within_s=1)
    await keeping
    assert "cannot be started: No such file or directory" in said[0]


async def test_one_that_is_told_to_stop_while_it_is_being_started_does_not_stay() -> None:
    """There is a moment in which it runs and nobody holds it yet."""
    said: list[str] = []
    one = child("import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(600)", said)
    keeping = asyncio.get_running_loop().create_task(one.keep())
    await until(lambda: one.starts == 1)
    await one.stop(within_s=30)
    await keeping
    assert not one.is_running
    assert not any(_lives(int(line)) for line in said if line.isdecimal())


async def test_one_whose_keeper_is_cancelled_does_not_stay() -> None:
    """Whatever ends the keeper, the program goes with it."""
    said: list[str] = []
    one = child("import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(600)", said)
    keeping = asyncio.get_running_loop().create_task(one.keep())
    await until(lambda: bool(said))
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    await until(lambda: not _lives(int(said[0])))


def _lives(pid: int) -> bool:
    """Say whether a process is there and no zombie that its new parent has yet to bury."""
    try:
        with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123 - what is gone in between is no error of ours
            return stat.read().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False
