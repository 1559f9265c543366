"""All sources together: flag > environment > `.env` > file > names of earlier services > default."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vllm_gateway.settings.model import Settings
from vllm_gateway.settings.problems import Problem, SettingsInvalid
from vllm_gateway.settings.sources import aliases
from vllm_gateway.settings.sources.environment import CONFIG, read_environment
from vllm_gateway.settings.sources.file import DEFAULT_NAME, read_file
from vllm_gateway.settings.sources.reading import Assignment, Reading
from vllm_gateway.settings.sources.variables import Variables, read_dotenv
from vllm_gateway.settings.tree import Tree
from vllm_gateway.settings.validation import validate


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings that can be used, and where each value came from."""

    settings: Settings
    tree: Tree


def load_here(config: Path | None = None, flags: Sequence[Assignment] = ()) -> Loaded:
    """Load the settings of this process: its environment and its directory; raise `SettingsInvalid`."""
    environment = os.environ  # noqa: TID251 - the only place that reads the environment
    return load(config=config, flags=flags, environment=environment, directory=Path.cwd())


def load(
    *, config: Path | None, flags: Sequence[Assignment], environment: Mapping[str, str], directory: Path
) -> Loaded:
    """Return the settings of all sources; raise `SettingsInvalid` with everything that is wrong in any of them."""
    dotenv = read_dotenv(directory)
    sources = (Variables("environment", environment, directory), dotenv.variables)
    reading = Reading(problems=list(dotenv.problems))
    for said in (_file(config, sources, directory), *(read_environment(variables) for variables in reversed(sources))):
        reading.add(said.assignments, said.problems)
    reading.add(flags)

    tree = Tree()
    reading.add(problems=_gather(tree, reading.assignments))
    reading.add(problems=aliases.fill(tree, sources))
    settings, wrong = validate(tree)
    told = {problem.place for problem in reading.problems if problem.place}
    reading.add(problems=(problem for problem in wrong if problem.place not in told))
    if reading.problems:
        raise SettingsInvalid(reading.problems)
    return Loaded(settings, tree)


def _gather(tree: Tree, assignments: Sequence[Assignment]) -> list[Problem]:
    """Put every value into the tree, later ones over earlier ones; return those that have no place there."""
    return [
        Problem(one.origin, "leaves a gap in the list; number its entries 0, 1, 2 ...", one.place)
        for one in assignments
        if not tree.put(one.place, one.value, one.origin)
    ]


def _file(config: Path | None, sources: Sequence[Variables], directory: Path) -> Reading:
    """Read the file that was named, or `gateway.yaml` when it is there."""
    named = config or next((Path(name) for name in (one.plain(CONFIG) for one in sources) if name), None)
    path = directory / (named or DEFAULT_NAME)
    return read_file(path, str(named or DEFAULT_NAME), sources) if named or path.exists() else Reading()
