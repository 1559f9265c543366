"""The files of a deployment, read."""

import re
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
CHART = DEPLOY / "helm" / "vllm-gateway"
_VARIABLE = re.compile(r"\$\{([A-Z][A-Z0-9_]*)(?::?[-?][^}]*)?")


def compose() -> dict[str, Any]:
    """Return the Compose file, its anchors filled in."""
    loaded: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    return loaded


def variables(text: str) -> set[str]:
    """Return the names that Compose fills in."""
    return set(_VARIABLE.findall("\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))))


def explained() -> set[str]:
    """Return the names that `.env.example` explains."""
    text = (DEPLOY / ".env.example").read_text(encoding="utf-8")
    return set(re.findall(r"^#?([A-Z][A-Z0-9_]*)=", text, re.MULTILINE))


def unit(name: str) -> dict[str, list[tuple[str, str]]]:
    """Return the sections of a systemd unit, each with its settings in order."""
    sections: dict[str, list[tuple[str, str]]] = {}
    lines: list[tuple[str, str]] = []
    for line in (DEPLOY / "systemd" / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            lines = sections.setdefault(line.strip("[]"), [])
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            lines.append((key, value))
    return sections
