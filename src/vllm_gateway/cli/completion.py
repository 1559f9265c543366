"""`vllm-gateway completion`."""

import sys
from typing import Literal

from cyclopts import CycloptsError

Shell = Literal["bash", "zsh", "fish"]


def completion(shell: Shell | None = None, *, install: bool = False) -> int:
    """Print what has a shell complete commands and flags with Tab, or put it where the shell looks for it.

    For example, for this shell only: source <(vllm-gateway completion bash)

    For good: vllm-gateway completion --install

    Args:
        shell: Which shell. [default: the one that this is started from]
        install: Write the file, and have the start-up file of bash or zsh read it.

    Returns:
        The exit status.
    """
    from cyclopts.completion.detect import ShellDetectionError  # noqa: PLC0415 - keeps --help quick

    from vllm_gateway.cli.program import app  # noqa: PLC0415 - it holds this command itself

    try:
        if not install:
            sys.stdout.write(app.generate_completion(shell=shell))
            return 0
        path = app.install_completion(shell=shell)
    except ShellDetectionError as unknown:
        raise CycloptsError(msg="Which shell this is cannot be told; name it: bash, zsh or fish.") from unknown
    except OSError as fault:
        sys.stderr.write(f"The completion cannot be written: {fault}.\n")
        return 1
    sys.stderr.write(f"Written to {path}. It counts in shells that are opened from now on.\n")
    return 0
