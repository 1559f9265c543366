"""`vllm serve` for an environment whose command is not installed: `python serve_like.py MODEL ...`."""

import os
import sys

from tests.real_vllm.fleet import REPLICA_ENVIRONMENT, environment_folder


def main() -> None:
    """Become the server."""
    root = environment_folder()
    module = ["-W", "ignore", "-m", "vllm.entrypoints.openai.api_server", "--model"]
    environment = {**os.environ, **REPLICA_ENVIRONMENT, "HOME": str(root)}  # noqa: TID251 - what it was started with
    environment.pop("PYTHONPATH")  # which led here
    python = str(root / "env" / "bin" / "python")
    os.execve(python, [python, *module, *sys.argv[1:]], environment)  # noqa: S606 - that is its task


if __name__ == "__main__":
    main()
