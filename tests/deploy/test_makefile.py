"""The Makefile: what people and earlier deployments call."""

import os
import re
import subprocess

import pytest

from tests.house.files import ROOT

TEXT = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = re.findall(r"^([a-z-]+):.*## (.+)$", TEXT, re.MULTILINE)
PROMISED = [
    "run",
    "up",
    "down",
    "logs",
    "restart",
    "build",
    "clean",
    "test",
    "test-real-vllm",
    "check",
    "bench",
    "chat",
    "docs",
    "lint",
    "install-frontend",
    "frontend",
]


def test_every_promised_target_is_there_and_explained() -> None:
    """`make help` lists them, each with a sentence, and none is taken for a file of its name."""
    names = {name for name, _ in TARGETS}
    assert set(PROMISED) <= names
    (phony, *_) = re.findall(r"^\.PHONY: (.+)$", TEXT, re.MULTILINE)
    assert names <= set(phony.split())


@pytest.mark.parametrize(
    ("environment", "profile"),
    [({}, "sim"), ({"USE_GPU": "0"}, "cpu"), ({"USE_GPU": "1"}, "gpu"), ({"COMPOSE_PROFILES": "ui"}, "ui")],
)
def test_up_starts_what_the_environment_says(environment: dict[str, str], profile: str) -> None:
    """Names of earlier deployments count; without any it is the embedded engine."""
    told = make("--dry-run", "up", **environment)
    line = next(line for line in told.stdout.splitlines() if line.startswith("COMPOSE_PROFILES="))
    value = line[: line.index(" docker compose")]
    shown = subprocess.run(
        ["sh", "-c", f'{value}; printf %s "$COMPOSE_PROFILES"'],  # noqa: S607 - the shell that make uses
        env={"PATH": os.defpath, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout == profile


def test_without_docker_it_says_what_to_do() -> None:
    """And ends with an error."""
    ran = make("up", PATH="/nowhere")
    assert ran.returncode != 0
    assert "make run" in ran.stderr


def make(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run make with nothing but this environment."""
    return subprocess.run(
        ["/usr/bin/make", "SHELL=/bin/sh", *arguments],
        cwd=ROOT,
        env={"PATH": os.defpath, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
