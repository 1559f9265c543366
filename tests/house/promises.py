"""How a test is written."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.house.files import shown

WAYS_OUT = frozenset({"skip", "skipif", "skipIf", "skipUnless", "xfail", "importorskip", "expectedFailure"})
"""What lets a test pass without having tested anything."""


def undescribed(path: Path) -> list[str]:
    """Return the tests of a file that do not say which behaviour they show."""
    return [
        f"{shown(path)}:{test.lineno}: {test.name} does not say what it shows"
        for test in _functions(path)
        if test.name.startswith("test_") and not (ast.get_docstring(test) or "").strip()
    ]


def way_out(path: Path) -> list[str]:
    """Return the places of a file where a test is passed over."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and node.attr in WAYS_OUT:
            found.append(f"{shown(path)}:{node.lineno}: {node.attr}")
        elif isinstance(node, ast.ImportFrom) and node.module in {"pytest", "unittest"}:
            found += [f"{shown(path)}:{node.lineno}: {each.name}" for each in node.names if each.name in WAYS_OUT]
    return found


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
