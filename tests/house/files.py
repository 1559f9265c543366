"""The files of this repository that people write."""

import subprocess
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "vllm_gateway"
TESTS = ROOT / "tests"


def written_files() -> list[Path]:
    """Return what is kept in git, or would be; whose files they are does not matter."""
    listing = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - git from the path
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    paths = (ROOT / name for name in listing.stdout.decode().split("\0") if name)
    return sorted({path for path in paths if path.is_file()})


def modules(paths: Iterable[Path]) -> list[Path]:
    """Return the Python files among these."""
    return [path for path in paths if path.suffix == ".py"]


def shown(path: Path) -> str:
    """Name a file as one reads it in a report."""
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path.name)
