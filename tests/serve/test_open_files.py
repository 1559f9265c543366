"""How many files the process may have open."""

import resource
import subprocess
import sys

import pytest

from vllm_gateway.serve.open_files import MOST

_SCRIPT = """
import resource
from vllm_gateway.serve.open_files import raise_limit
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
raise_limit()
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(("soft", "hard"), [(256, 512), (512, 512), (64, 64)])
def test_it_takes_what_the_system_allows(soft: int, hard: int) -> None:
    """And not more: what may be taken at most stays as it is."""
    assert _limits_after(str(soft), str(hard)) == (hard, hard)


def test_what_is_allowed_to_this_process_is_taken() -> None:
    """Whatever that is; a limit that says "no limit" is not believed."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    assert _limits_after("256", "hard")[0] == most


def _limits_after(soft: str, hard: str) -> tuple[int, int]:
    script = _SCRIPT.format(soft=soft, hard=hard)
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)
    first, second = told.stdout.split()
    return int(first), int(second)
