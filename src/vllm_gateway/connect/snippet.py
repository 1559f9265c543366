"""What to put where, so that one client uses a gateway."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

import yaml

from vllm_gateway.connect.place import Place


@dataclass(frozen=True, slots=True)
class Snippet:
    """A piece of text for one client."""

    text: str
    where: str
    """What it is and where it belongs, for people."""
    file: PurePosixPath | None = None
    """The file that it is the whole of; below the home where it begins with `~`. None: nothing that one writes."""
    notes: tuple[str, ...] = ()
    """What else is to be done or known."""


@dataclass(frozen=True, slots=True)
class ClientProgram:
    """A client, and how it is told."""

    name: str
    title: str
    calls: tuple[str, ...]
    """The routes that it uses."""
    told: Callable[[Place], Snippet]


def as_yaml(value: object) -> str:
    """Return YAML as people write it."""
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True)


def quoted(value: str) -> str:
    """Return a text as TOML, Python and TypeScript write it."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def shell(value: str) -> str:
    """Return a text as a shell takes it."""
    return "'" + value.replace("'", "'\\''") + "'"
