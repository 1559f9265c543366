"""How long a file and a function may be."""

import ast
from pathlib import Path

from tests.house.files import shown

MOST_FILE_LINES = 400
MOST_FUNCTION_LINES = 60


def too_long(path: Path) -> list[str]:
    """Return what is too long in a module: itself, and its functions."""
    text = path.read_text(encoding="utf-8")
    lines = len(text.splitlines())
    found = [f"{shown(path)}: {lines} lines, {MOST_FILE_LINES} are allowed"] if lines > MOST_FILE_LINES else []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > MOST_FUNCTION_LINES:
                found.append(f"{shown(path)}:{node.lineno}: {node.name} has {length} lines")
    return found
