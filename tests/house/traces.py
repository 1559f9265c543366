"""What must not be written down in a public repository: where it was made, and from where its packages came."""

import re
from pathlib import Path

from tests.house.files import shown

_SLASH = "/"
TRACES = {
    "a path of the place where it was made": re.compile(
        rf"(?<![\w.:/-]){_SLASH}work(?=[{_SLASH}\s'\"`,;)]|$)|\.\.{_SLASH}shared\b|(?<!\w)\.lib" + r"rary\b"
    ),
    "the host of a package index": re.compile(
        r"\b(?:" + "|".join(("py" + r"pi\.org", "python" + r"hosted\.org", "npm" + r"js\.(?:org|com)")) + r")\b"
    ),
    "the address of a package index": re.compile(r"index-" + r"url[ =]+\W*https?:|https?:\S+" + _SLASH + r"simple\b"),
}


def traces(path: Path) -> list[str]:
    """Return the lines of a file that give something away; a file that is no text gives nothing away."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        return []
    return [
        f"{shown(path)}:{number}: {what}: {found[0]}"
        for number, line in enumerate(lines, 1)
        for what, pattern in TRACES.items()
        if (found := pattern.search(line))
    ]
