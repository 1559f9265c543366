"""`vllm-gateway completion`."""

import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Run


def completed(script: str, *words: str) -> list[str]:
    """Return what bash offers for the last of these words."""
    asked = (
        f"{script}\nCOMP_WORDS=({' '.join(map(repr, words))}); COMP_CWORD={len(words) - 1}\n"
        'eval "$(complete -p vllm-gateway | sed \'s/.*-F \\([^ ]*\\).*/\\1/\')"\nprintf "%s\\n" "${COMPREPLY[@]}"'
    )
    ran = subprocess.run(["/bin/bash", "-c", asked], capture_output=True, text=True, timeout=50, check=True)
    return ran.stdout.split()


def test_bash_completes_commands_flags_and_choices(run: Run) -> None:
    """With the script that is printed for it."""
    code, script, err = run("completion", "bash")
    assert (code, err) == (0, "")
    assert completed(script, "vllm-gateway", "ch") == ["chaos", "chat"]
    assert completed(script, "vllm-gateway", "top", "--on") == ["--once"]
    assert completed(script, "vllm-gateway", "completion", "z") == ["zsh"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_have_scripts_of_their_own(run: Run, shell: str) -> None:
    """Which know every command."""
    code, script, _ = run("completion", shell)
    assert code == 0
    assert all(command in script for command in ("serve", "ask", "chat", "top", "completion"))


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_it_is_put_where_the_shell_looks(run: Run, here: Path, monkeypatch: pytest.MonkeyPatch, shell: str) -> None:
    """The start-up file keeps what is in it and reads it once, however often it is installed."""
    monkeypatch.setenv("HOME", str(here))
    started = here / f".{shell}rc"
    started.write_text("alias g=git", encoding="utf-8")
    code, out, err = run("completion", shell, "--install")
    assert (code, out) == (0, "")
    path = Path(err.removeprefix("Written to ").partition(". It counts")[0])
    assert path.is_relative_to(here)
    assert "vllm-gateway" in path.read_text(encoding="utf-8")
    begun = started.read_text(encoding="utf-8")
    assert begun.startswith("alias g=git\n")
    assert str(path) in begun
    assert run("completion", shell, "--install")[0] == 0
    assert started.read_text(encoding="utf-8") == begun


def test_a_folder_that_cannot_be_written_is_told(run: Run, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is where the folder should be."""
    monkeypatch.setenv("HOME", str(here / "file"))
    (here / "file").write_text("", encoding="utf-8")
    code, out, err = run("completion", "zsh", "--install")
    assert (code, out) == (1, "")
    assert err.startswith("The completion cannot be written: ")


def test_a_shell_that_is_not_known_is_told(run: Run) -> None:
    """With those that are."""
    code, out, err = run("completion", "tcsh")
    assert (code, out) == (2, "")
    assert '"bash", "zsh", "fish"' in err
