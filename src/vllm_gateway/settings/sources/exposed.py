"""Secrets that stand in a settings file which everybody on the machine may read."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from vllm_gateway.settings.places import Place, shape_at
from vllm_gateway.settings.problems import Problem
from vllm_gateway.settings.sources.variables import Unreadable, filled_in
from vllm_gateway.settings.sources.yaml_text import Leaf

_OTHERS = 0o007
_ADDRESSES: frozenset[Place] = frozenset({("state", "redis_url"), ("state", "database_url")})
"""Secret for the password that they may hold."""


def exposed_secrets(path: Path, shown: str, leaves: Iterable[Leaf]) -> Iterator[Problem]:
    """Yield a problem for the first secret of a file that others than its owner and group may read or write.

    A reference, `${NAME}`, gives nothing away. On Windows the rights of a file are told otherwise, and not looked at.
    """
    if sys.platform == "win32" or not _mode(path) & _OTHERS:
        return
    for leaf in leaves:
        if _is_secret(leaf):
            yield Problem(
                f"{shown}:{leaf.line}",
                f"stands in a file that every user of this machine may open; run: chmod 600 {shown}",
                leaf.place,
            )
            return


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode if path.is_file() else 0
    except OSError:
        return 0


def _is_secret(leaf: Leaf) -> bool:
    """Say whether the file itself holds a secret here."""
    text = str(leaf.value) if leaf.value is not None else ""
    try:
        text = filled_in(text, ())
    except Unreadable:
        return False
    if not text or shape_at(leaf.place) is not SecretStr:
        return False
    return leaf.place not in _ADDRESSES or _has_password(text)


def _has_password(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return True  # it is no address; what it holds is nobody's business
    return bool(parts.password) or "password=" in parts.query
