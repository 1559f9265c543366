"""`vllm-gateway connect`."""

import tomllib
from pathlib import Path

import pytest

from tests.cli.conftest import Run

AWAY = ("--url", "http://127.0.0.1:1", "--model", "tiny")


def test_without_a_client_they_are_listed(run: Run) -> None:
    """One a line."""
    code, out, _ = run("connect")
    assert code == 0
    assert "claude-code  Claude Code" in out


def test_only_the_snippet_is_printed_so_that_it_can_be_piped(run: Run) -> None:
    """Where it belongs, and what else is to be done, is said beside it."""
    code, out, err = run("connect", "codex", *AWAY, "--context-tokens", "1000")
    assert code == 0
    assert tomllib.loads(out)["model_context_window"] == 1000
    assert "~/.codex/config.toml" in err


def test_a_file_is_written_once(run: Run, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second time it is there."""
    monkeypatch.setenv("HOME", str(here))
    assert run("connect", "codex", *AWAY, "--write")[0] == 0
    assert (here / ".codex" / "config.toml").is_file()
    code, _, err = run("connect", "codex", *AWAY, "--write")
    assert code == 1
    assert "already there" in err
    assert run("connect", "codex", *AWAY, "--write", "--force")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("connect", "emacs", *AWAY), "There are: "),
        (("connect", "curl", "--url", "ftp://x"), "no address"),
        (("connect", "curl", "--key-variable", "a b"), "no name of a variable"),
    ],
)
def test_mistakes_are_told_in_a_sentence(arguments: tuple[str, ...], said: str, run: Run) -> None:
    """With exit status 1."""
    code, out, err = run(*arguments)
    assert (code, out) == (1, "")
    assert said in err
