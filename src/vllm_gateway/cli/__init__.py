"""The command line. Each command is a thin function that imports what it runs, so that `--help` stays quick."""

from vllm_gateway.cli.program import main

__all__ = ["main"]
