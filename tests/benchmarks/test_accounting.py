"""CPU and memory out of /proc."""

import os
import subprocess
import sys

import pytest

from benchmarks.accounting import (
    TICKS_PER_S,
    ProcessGone,
    Watch,
    descendants,
    read_busy_s,
    read_rss_bytes,
    read_stat,
    tree_of,
)
from vllm_gateway.clock import SystemClock


@pytest.mark.parametrize("name", ["python", "a) b (c", "with space"])
def test_the_name_of_a_program_does_not_confuse(name: str) -> None:
    """Parent and CPU time are found whatever the program is called."""
    stat = read_stat(f"42 ({name}) S 7 42 42 0 -1 4194304 100 0 0 0 {3 * TICKS_PER_S} {TICKS_PER_S} 0 0 20 0 1 0 99")
    assert (stat.parent, stat.cpu_s) == (7, 4.0)


def test_memory_is_read() -> None:
    """It is told in kB, now and at its peak; a process that is ending tells none."""
    status = "Name:\tx\nVmPeak:\t9 kB\nVmHWM:\t    2048 kB\nVmRSS:\t1 kB\n"
    assert (read_rss_bytes(status), read_rss_bytes(status, is_peak=True)) == (1024, 2048 * 1024)
    assert read_rss_bytes("Name:\tx\nState:\tZ (zombie)\n") == 0


def test_the_machines_time_leaves_out_what_is_no_program() -> None:
    """User, nice and system count; idle, waiting, interrupts and stolen time do not."""
    ticks = TICKS_PER_S
    assert read_busy_s(f"cpu  {ticks} {2 * ticks} {3 * ticks} 999 999 999 999 999 0 0\ncpu0 1 1 1\n") == 6


def test_a_tree_is_a_process_and_all_below_it() -> None:
    """Grandchildren belong to the tree, strangers do not, in whatever order they are listed."""
    assert sorted(descendants(1, [(5, 3), (2, 1), (3, 1), (9, 8), (1, 0)])) == [1, 2, 3, 5]


def test_a_child_is_in_the_tree() -> None:
    """A process that was started here is found below this one."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert {os.getpid(), child.pid} <= set(tree_of(os.getpid()))
        child.communicate(b"\n")


def test_work_is_seen_on_the_meters() -> None:
    """What this process does between two samples is counted for it, and not for others."""
    watch = Watch(target=os.getpid(), replica=os.getpid())
    before = watch.sample()
    end = SystemClock.now() + 5
    while (after := watch.sample()).target_cpu_s - before.target_cpu_s < 0.05:
        assert SystemClock.now() < end
    assert after.at_s - before.at_s > 0
    assert after.client_cpu_s - before.client_cpu_s > 0.03
    assert after.replica_cpu_s - before.replica_cpu_s > 0.03


def test_memory_is_seen() -> None:
    """A running interpreter has a peak of some megabytes, also after the peak was reset."""
    watch = Watch(target=os.getpid(), replica=os.getpid())
    watch.reset_peak_rss()
    assert min(watch.peak_rss_bytes(), watch.rss_bytes()) > 5_000_000


def test_a_process_that_has_ended_is_told() -> None:
    """A target that dies while it is measured is an error, no cheap target."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        watch = Watch(target=child.pid, replica=os.getpid())
        child.communicate(b"\n")
    with pytest.raises(ProcessGone, match=str(child.pid)):
        watch.sample()
