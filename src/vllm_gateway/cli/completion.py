"""`vllm-gateway completion`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cyclopts import CycloptsError

if TYPE_CHECKING:
    from cyclopts import App

Shell = Literal["bash", "zsh", "fish"]
_ZSH_END = """
# Found in $fpath, this is the function itself; where it is read with `source`, the function has to be made known.
if [[ $funcstack[1] == _cyclopts_vllm-gateway ]]; then
  _cyclopts_vllm-gateway "$@"
elif (( $+functions[compdef] )); then
  compdef _cyclopts_vllm-gateway vllm-gateway
fi
"""
_ZSH_START = "(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }; source"


def completion(shell: Shell | None = None, *, install: bool = False) -> int:
    """Print what has a shell complete commands and flags with Tab, or put it where the shell looks for it.

    For example, for this shell only: source <(vllm-gateway completion bash)

    For good: vllm-gateway completion --install

    Args:
        shell: Which shell. [default: the one that this is started from]
        install: Write the file, and have .bashrc or .zshrc read it.

    Returns:
        The exit status.
    """
    from cyclopts.completion.detect import ShellDetectionError, detect_shell  # noqa: PLC0415 - keeps --help quick

    from vllm_gateway.cli.program import app  # noqa: PLC0415 - it holds this command itself

    try:
        named = shell or detect_shell()
    except ShellDetectionError:
        named = None
    if named not in {"bash", "zsh", "fish"}:
        raise CycloptsError(msg="Which shell this is cannot be told, or it is none of these; name it: bash, zsh, fish.")
    script = app.generate_completion(shell=named) + (_ZSH_END if named == "zsh" else "")
    if not install:
        sys.stdout.write(script)
        return 0
    try:
        path = _install_for_zsh(app, script) if named == "zsh" else app.install_completion(shell=named)
    except OSError as fault:
        sys.stderr.write(f"The completion cannot be written: {fault}.\n")
        return 1
    sys.stderr.write(f"Written to {path}. It counts in shells that are opened from now on.\n")
    return 0


def _install_for_zsh(app: "App", script: str) -> Path:
    """Write the file, and have it read at the end of `.zshrc`, where all that it needs is there."""
    path = app.install_completion(shell="zsh", add_to_startup=False)  # noqa: S604 - nothing is run in it
    path.write_text(script, encoding="utf-8")
    started, line = Path.home() / ".zshrc", f"{_ZSH_START} '{path}'\n"
    before = started.read_text(encoding="utf-8") if started.exists() else ""
    if line not in before:
        started.write_text(before + ("\n" if before and not before.endswith("\n") else "") + line, encoding="utf-8")
    return path
