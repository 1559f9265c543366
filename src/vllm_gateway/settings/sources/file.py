"""The settings file: YAML whose texts may hold `${NAME}` and `${NAME:-default}`."""

from collections.abc import Sequence
from pathlib import Path

from vllm_gateway.settings.places import is_container, shape_at
from vllm_gateway.settings.problems import Problem
from vllm_gateway.settings.sources.exposed import exposed_secrets
from vllm_gateway.settings.sources.reading import Assignment, Reading
from vllm_gateway.settings.sources.variables import Unreadable, Variables, file_text, filled_in
from vllm_gateway.settings.sources.yaml_text import Leaf, YamlFault, read_leaves, read_value

DEFAULT_NAME = "gateway.yaml"


def read_file(path: Path, shown: str, sources: Sequence[Variables]) -> Reading:
    """Return the settings that the file holds; `shown` is how people know the file."""
    reading = Reading()
    try:
        leaves = read_leaves(file_text(path))
    except Unreadable as fault:
        reading.problems.append(Problem(shown, str(fault)))
        return reading
    except YamlFault as fault:
        reading.problems.append(Problem(f"{shown}:{fault.line}" if fault.line else shown, fault.sentence))
        return reading
    if leaves and (not leaves[0].place or isinstance(leaves[0].place[0], int)):
        if leaves[0].value not in (None, {}):
            reading.problems.append(Problem(shown, "must hold settings, one `key: value` a line"))
        return reading
    reading.add(problems=exposed_secrets(path, shown, leaves))
    for leaf in leaves:
        _take(reading, leaf, f"{shown}:{leaf.line}", sources)
    return reading


def _take(reading: Reading, leaf: Leaf, origin: str, sources: Sequence[Variables]) -> None:
    """Add one value to what the file says, or what is wrong with it."""
    if leaf.value is None and isinstance(leaf.place[-1], str) and shape_at(leaf.place) is not None:
        return  # `limits:` with nothing behind it is how people leave a section at its defaults
    try:
        reading.assignments.append(Assignment(leaf.place, _filled_in(leaf, sources), origin))
    except Unreadable as fault:
        reading.problems.append(Problem(origin, str(fault), leaf.place))
    except YamlFault as fault:
        reading.problems.append(Problem(origin, f"must be YAML or JSON: {fault.sentence}", leaf.place))


def _filled_in(leaf: Leaf, sources: Sequence[Variables]) -> object:
    if not isinstance(leaf.value, str):
        return leaf.value
    text = filled_in(leaf.value, sources)
    if text != leaf.value and is_container(shape_at(leaf.place)):
        return read_value(text)
    return text
