"""The first frame: the boxes of the chat, drawn without the library that draws all others."""

import shutil

_PROMPT_LINES = 3
_LEAST_COLUMNS = 20
_LEAST_LINES = 8


def skeleton(size: tuple[int, int] | None = None) -> str:
    """Return what is written to a terminal of this size, columns and lines."""
    columns, lines = size or shutil.get_terminal_size()
    if columns < _LEAST_COLUMNS or lines < _LEAST_LINES:
        return ""
    transcript = lines - 1 - _PROMPT_LINES
    rows = [*_box("New chat", columns, transcript), *_box("Message", columns, _PROMPT_LINES)]
    return "\r\n".join(rows)


def _box(title: str, columns: int, lines: int) -> list[str]:
    inner = columns - 2
    middle = f"│{' ' * inner}│"
    return [f"╭─ {title} {'─' * (inner - len(title) - 3)}╮", *[middle] * (lines - 2), f"╰{'─' * inner}╯"]
