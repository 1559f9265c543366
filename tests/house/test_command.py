"""The command starts quickly, because it imports only what it runs."""

import subprocess
import sys

import pytest

HEAVY = {"fastapi", "starlette", "uvicorn", "textual", "matplotlib"}


def python(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run Python on its own."""
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=30, check=False)


def imported_by(statement: str) -> set[str]:
    """Return the top-level packages that a statement imports."""
    ran = python("-c", f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})")
    assert ran.returncode == 0, ran.stderr
    return set(ran.stdout.split())


def test_the_command_line_imports_no_server() -> None:
    """`vllm-gateway --help` must not wait for a web framework."""
    assert imported_by("import vllm_gateway.cli") & HEAVY == set()


def test_the_rule_sees_a_server() -> None:
    """The composition root does import it."""
    assert imported_by("import vllm_gateway.serve") & HEAVY == {"fastapi", "starlette", "uvicorn"}


@pytest.mark.parametrize("arguments", [("--help",), ("serve", "--help")])
def test_the_package_runs_as_a_command(arguments: tuple[str, ...]) -> None:
    """`python -m vllm_gateway` is `vllm-gateway`, where scripts are not on the path."""
    ran = python("-m", "vllm_gateway", *arguments)
    assert ran.returncode == 0, ran.stderr
    assert "vllm-gateway" in ran.stdout
    assert ran.stderr == ""
