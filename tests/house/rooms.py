"""Where modules and their tests stand, and what they are called."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.house.files import shown

WITHOUT_TWIN = frozenset({"__init__.py", "__main__.py"})
FORBIDDEN_NAMES = frozenset(
    {
        "base",
        "common",
        "core",
        "handler",
        "handlers",
        "helper",
        "helpers",
        "impl",
        "manager",
        "managers",
        "misc",
        "processor",
        "processors",
        "service",
        "services",
        "util",
        "utils",
    }
)
"""Names that say of what kind a module is, and not what it knows."""


def without_twin(source: Path, tests: Path) -> list[str]:
    """Return the modules below `source` whose tests are missing from the same place below `tests`."""
    missing = []
    for module in sorted(source.rglob("*.py")):
        if module.name not in WITHOUT_TWIN:
            place = module.relative_to(source)
            twin = tests / place.with_name(f"test_{place.name}")
            if not twin.is_file():
                missing.append(f"{place} has no tests/{twin.relative_to(tests)}")
    return missing


def small_rooms(source: Path, allowed: Mapping[str, str]) -> list[str]:
    """Return the rooms that hold a single module without being allowed to, and the permissions without a use."""
    small = set()
    for door in source.rglob("__init__.py"):
        room = door.parent
        inside = [path for path in room.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()]
        if room != source and len(inside) == 2:  # the door and one module
            small.add(str(room.relative_to(source)))
    unexplained = [f"{room} is a room for a single module" for room in sorted(small - allowed.keys())]
    unused = [f"{room} is not a room for a single module any more" for room in sorted(allowed.keys() - small)]
    return unexplained + unused


def ill_named(paths: Iterable[Path]) -> list[str]:
    """Return the modules that are named for their kind, themselves or the folder they stand in."""
    found = []
    for path in paths:
        names = {path.stem.removeprefix("test_"), path.parent.name}
        found += [f"{shown(path)}: '{name}' says nothing" for name in sorted(names & FORBIDDEN_NAMES)]
    return found
