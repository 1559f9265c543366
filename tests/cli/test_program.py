"""`vllm-gateway` itself."""

import os
import re
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.cli.conftest import Run
from tests.waiting import PATIENCE_S
from vllm_gateway import __version__
from vllm_gateway.cli import main

COMMANDS = (
    ["serve"],
    ["sim"],
    ["config"],
    ["config", "check"],
    ["config", "show"],
    ["config", "schema"],
    ["config", "init"],
)


@pytest.mark.parametrize("command", [[], *COMMANDS], ids=" ".join)
def test_help_is_complete(command: list[str], run: Run) -> None:
    """Each command explains itself with an example of that very command, and ends with 0."""
    code, out, err = run(*command, "--help")
    assert (code, err) == (0, "")
    assert re.search(f"^For example: .*{' '.join(['vllm-gateway', *command])}", out, flags=re.MULTILINE)


def test_every_flag_is_explained(run: Run) -> None:
    """No flag of any command lacks its words."""
    for command in COMMANDS:
        lines = run(*command, "--help")[1].splitlines()
        bare = [line for line in lines if line.startswith("│ --") and not line.strip("│ ").partition("  ")[2].strip()]
        assert bare == []


def test_version_is_the_packages(run: Run) -> None:
    """`--version` prints the version and nothing else."""
    assert run("--version") == (0, f"{__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["srve"], 'Unknown command "srve". Did you mean "serve"?'),
        (["serve", "--prot", "1"], "Unknown option: --prot. Did you mean --port?"),
        (["serve", "--port", "x"], 'Invalid value for --port: unable to convert "x" into int.'),
        (["serve", "--log-level", "loud"], 'Choose from: "debug", "info", "warning", "error".'),
        (["serve", "surplus"], "surplus"),
        (["config", "chek"], 'Did you mean "check"?'),
        (["sim", "--port", "65536"], "Must be <= 65535."),
        (["sim", "--itl-ms", "-1"], "Must be >= 0."),
        (["sim", "--kv-blocks", "1"], "cannot hold one answer"),
    ],
)
def test_a_mistake_in_the_use_is_one_line_and_status_2(arguments: list[str], said: str, run: Run) -> None:
    """What the command line does not know is told in one line on stderr, with the nearest that it knows."""
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("vllm-gateway: ")
    assert said in err
    assert err.count("\n") == 1


def test_help_imports_no_server() -> None:
    """`--help` stays quick because nothing that serves, and not the settings model, is imported for it."""
    code = (
        "import sys, contextlib, io\n"
        "from vllm_gateway.cli.program import status\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n"
        "    status(['--help']), status(['serve', '--help']), status(['sim', '--help'])\n"
        "print(*{'pydantic', 'fastapi', 'uvicorn', 'uvloop', 'yaml', 'orjson'}.intersection(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "\n"


def test_the_program_exits_with_the_status(run: Run) -> None:
    """`main` ends the process with what the command returned."""
    assert run is not None
    with pytest.raises(SystemExit) as ended:
        main(["serve", "--prot"])
    assert ended.value.code == 2


def test_a_reader_that_leaves_is_no_error(start: Callable[..., subprocess.Popen[str]]) -> None:
    """When who reads the output has gone, as `head` does, the command ends without a complaint."""
    reading, writing = os.pipe()
    os.close(reading)
    command = start("config", "schema", stdout=writing)
    os.close(writing)
    _, err = command.communicate(timeout=PATIENCE_S)
    assert (command.returncode, err) == (1, "")
