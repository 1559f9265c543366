"""A list of upstreams in a file of its own, which is read again whenever it has changed."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from vllm_gateway import codec
from vllm_gateway.settings.model import Upstream
from vllm_gateway.settings.problems import Problem, SettingsInvalid
from vllm_gateway.settings.sources.exposed import exposed_secrets
from vllm_gateway.settings.sources.variables import Unreadable, Variables, file_text, filled_in, read_dotenv
from vllm_gateway.settings.sources.yaml_text import Leaf, YamlFault, read_leaves
from vllm_gateway.settings.tree import Tree
from vllm_gateway.settings.validation import validate


def read_upstreams_here(path: Path, *, workers: int = 1) -> tuple[Upstream, ...]:
    """Read a list with the variables of this process and of its directory; raise `SettingsInvalid`."""
    environment = os.environ  # noqa: TID251 - the settings are the room that the ban points to
    here = Path.cwd()
    return read_upstreams(
        path, (Variables("environment", environment, here), read_dotenv(here).variables), workers=workers
    )


def read_upstreams(path: Path, sources: Sequence[Variables] = (), *, workers: int = 1) -> tuple[Upstream, ...]:
    """Return the upstreams of a file, in YAML or JSON; `${NAME}` and secrets are as in the settings file.

    What so many `workers` could not do is refused as it is there.

    A file with nothing in it is a fault, because that is how one looks while it is written; `[]` is an empty list.

    Raises:
        SettingsInvalid: with everything that is wrong.
    """
    shown = str(path)
    try:
        leaves = _leaves(file_text(path))
    except Unreadable as fault:
        raise SettingsInvalid([Problem(shown, str(fault))]) from None
    except YamlFault as fault:
        raise SettingsInvalid([Problem(f"{shown}:{fault.line}" if fault.line else shown, fault.sentence)]) from None
    if not leaves or not all(_is_in_list(leaf) for leaf in leaves):
        raise SettingsInvalid([Problem(shown, "must hold a list of upstreams; write [] for none")])
    placed = [Leaf(("upstreams", *leaf.place), leaf.value, leaf.line) for leaf in leaves]
    tree = Tree()
    tree.put(("workers",), workers, "workers")
    problems = [*exposed_secrets(path, shown, placed), *_fill(tree, placed, shown, sources)]
    settings, wrong = validate(tree)
    if problems or wrong:
        raise SettingsInvalid([*problems, *wrong])
    return settings.upstreams


def _leaves(text: str) -> list[Leaf]:
    """Return the values of the text; not all JSON is YAML to PyYAML, since that takes no tabs."""
    try:
        return read_leaves(text)
    except YamlFault:
        try:
            value = codec.loads(text)
        except codec.MalformedJson:
            value = None
        if value is None:
            raise
        return read_leaves(codec.dumps(value).decode())


def _is_in_list(leaf: Leaf) -> bool:
    """Say whether a value stands in a list, or is an empty one."""
    return isinstance(leaf.place[0], int) if leaf.place else leaf.value == []


def _fill(tree: Tree, leaves: Sequence[Leaf], shown: str, sources: Sequence[Variables]) -> Iterator[Problem]:
    for leaf in leaves:
        origin = f"{shown}:{leaf.line}"
        try:
            value = filled_in(leaf.value, sources) if isinstance(leaf.value, str) else leaf.value
        except Unreadable as fault:
            yield Problem(origin, str(fault), leaf.place)
        else:
            tree.put(leaf.place, value, origin)
