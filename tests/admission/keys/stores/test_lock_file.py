"""One process at a time."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from vllm_gateway.admission.keys.stores.lock_file import LockTaken, locked

HOLD = """
import sys
from pathlib import Path
from vllm_gateway.admission.keys.stores.lock_file import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_never_hold_it_at_once(tmp_path: Path) -> None:
    """Ten threads that read, wait and write lose no step."""
    lock, count = tmp_path / "lock", tmp_path / "count"
    count.write_text("0")

    def step() -> None:
        for _ in range(10):
            with locked(lock):
                before = int(count.read_text())
                count.write_text(str(before + 1))

    threads = [threading.Thread(target=step) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count.read_text() == "100"


def test_a_holder_that_is_killed_holds_it_no_more(tmp_path: Path) -> None:
    """While it lives the lock is taken; when it dies the system gives it back."""
    lock = tmp_path / "lock"
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == b"held"
        with pytest.raises(LockTaken, match="another process holds"), locked(lock, tries=2):
            pytest.fail("it is taken")
        holder.kill()
        holder.wait()
        with locked(lock):
            pass


def test_nothing_is_left_open(tmp_path: Path) -> None:
    """Also when the work under the lock fails."""
    lock = tmp_path / "lock"
    before = len(list(Path("/dev/fd").iterdir()))
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), locked(lock):
            _ = 1 / 0
    assert len(list(Path("/dev/fd").iterdir())) == before
