"""Environment variables and `.env` files: named texts, some of which name a file that holds the text.

The environment is handed in. A `.env` file gives values to the settings only; it never changes the environment.
"""

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dotenv.parser import Binding, parse_stream

from vllm_gateway.settings.problems import Problem

MAX_FILE_BYTES = 1_048_576
"""Larger than any settings file or secret; guards against a path that names a data file or a device."""

_REFERENCE = re.compile(r"\$(?P<escaped>\$\{)|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<otherwise>:-[^}]*)?\}")


class Unreadable(Exception):
    """A text cannot be had; the sentence says why, the origin which variable meant it."""

    def __init__(self, sentence: str, origin: str = "") -> None:
        super().__init__(sentence)
        self.origin = origin


@dataclass(frozen=True, slots=True)
class Variables:
    """The variables of one source. One that is set to nothing counts as not set, as Compose writes optional ones."""

    label: str
    """What the source is called in origins: `environment` or `.env`."""

    texts: Mapping[str, str]
    """All variables by name."""

    directory: Path
    """Where relative paths in `..._FILE` variables begin."""

    def names(self) -> list[str]:
        """Return the names of all variables that are set."""
        return sorted(name for name, text in self.texts.items() if text)

    def plain(self, name: str) -> str | None:
        """Return the text of the variable itself."""
        return self.texts.get(name) or None

    def text(self, name: str) -> str | None:
        """Return the text of the variable, or of the file that `<name>_FILE` names; raise `Unreadable`."""
        direct, path = self.plain(name), self.plain(f"{name}_FILE")
        if direct is not None and path is not None:
            raise Unreadable(f"is set as {name} and as {name}_FILE; keep one", self.origin(name))
        if path is None:
            return direct
        try:
            return secret_text(self.directory / path)
        except Unreadable as fault:
            raise Unreadable(f"needs the file {path}, which {fault}", self.origin(name)) from fault

    def origin(self, name: str) -> str:
        """Return how the variable is named to people."""
        named = name if self.plain(name) is not None else f"{name}_FILE"
        return f"{self.label} {named}"


@dataclass(frozen=True, slots=True)
class DotEnv:
    """What a `.env` file holds."""

    variables: Variables
    problems: list[Problem] = field(default_factory=list)


def read_dotenv(directory: Path) -> DotEnv:
    """Return the variables of the `.env` file in a directory; none when there is no such file."""
    path = directory / ".env"
    texts: dict[str, str] = {}
    problems: list[Problem] = []
    try:
        text = file_text(path) if path.exists() else ""
    except Unreadable as fault:
        return DotEnv(Variables(".env", {}, directory), [Problem(".env", str(fault))])
    for binding in parse_stream(io.StringIO(text)):
        if binding.error:
            problems.append(Problem(f".env:{_line(binding)}", "must have the form NAME=value"))
        elif binding.key is not None:
            texts[binding.key] = binding.value or ""
    return DotEnv(Variables(".env", texts, directory), problems)


def _line(binding: Binding) -> int:
    """Return the line that holds the text of a binding, which may begin with empty lines."""
    text = binding.original.string
    return binding.original.line + text[: len(text) - len(text.lstrip())].count("\n")


def file_text(path: Path) -> str:
    """Return the text of a file; raise `Unreadable` with a sentence for people."""
    try:
        with path.open("rb") as opened:
            content = opened.read(MAX_FILE_BYTES + 1)
    except OSError as fault:
        raise Unreadable(f"cannot be read: {fault.strerror}") from fault
    if len(content) > MAX_FILE_BYTES:
        raise Unreadable(f"is larger than {MAX_FILE_BYTES} bytes; it cannot be meant")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise Unreadable("is not UTF-8 text") from fault


def secret_text(path: Path) -> str:
    """Return the text of a file without the final newline that editors add."""
    return file_text(path).removesuffix("\n").removesuffix("\r")


def filled_in(text: str, sources: Sequence[Variables]) -> str:
    """Return the text with `${NAME}` and `${NAME:-default}` replaced; `$${` stays as `${`.

    Raises `Unreadable` when a variable is not set and has no default.
    """

    def value(found: re.Match[str]) -> str:
        if found["escaped"]:
            return "${"
        for variables in sources:
            if (known := variables.text(found["name"])) is not None:
                return known
        if found["otherwise"] is None:
            raise Unreadable(
                f"needs the variable {found['name']}, which is not set; "
                f"set it, or write ${{{found['name']}:-default}} with a default"
            )
        return found["otherwise"].removeprefix(":-")

    return _REFERENCE.sub(value, text)
