"""`vllm-gateway config`: look at the settings, check them, begin with them."""

import sys
from pathlib import Path

from cyclopts import App

config = App(
    name="config",
    help="Check, show and begin the settings.\n\nFor example: vllm-gateway config init && vllm-gateway config check",
)


@config.command
def check(config: Path | None = None) -> int:
    """Look for mistakes in the settings of all sources; exit with 1 and tell every one of them.

    For example: vllm-gateway config check gateway.yaml

    Args:
        config: Settings file. [default: GATEWAY_CONFIG, else gateway.yaml if it is there]

    Returns:
        The exit status.
    """
    from vllm_gateway.cli.loading import loaded_or_told  # noqa: PLC0415 - keeps --help quick

    if loaded_or_told(config) is None:
        return 1
    sys.stdout.write("The settings are valid.\n")
    return 0


@config.command
def show(config: Path | None = None) -> int:
    """Print the settings that count, each with its origin; secrets are masked.

    For example: GATEWAY_PORT=9000 vllm-gateway config show

    Args:
        config: Settings file. [default: GATEWAY_CONFIG, else gateway.yaml if it is there]

    Returns:
        The exit status.
    """
    from vllm_gateway.cli.loading import loaded_or_told  # noqa: PLC0415 - keeps --help quick
    from vllm_gateway.settings.pages.show import shown  # noqa: PLC0415 - as above

    loaded = loaded_or_told(config)
    if loaded is None:
        return 1
    sys.stdout.write(shown(loaded))
    return 0


@config.command
def schema() -> int:
    """Print the JSON Schema of the settings file, for editors.

    For example: vllm-gateway config schema > gateway.schema.json

    Returns:
        The exit status.
    """
    from vllm_gateway.codec import dumps_pretty  # noqa: PLC0415 - keeps --help quick
    from vllm_gateway.settings.pages.schema import json_schema  # noqa: PLC0415 - as above

    sys.stdout.write(dumps_pretty(json_schema()).decode())
    return 0


@config.command
def init(path: Path = Path("gateway.yaml"), *, force: bool = False) -> int:
    """Write a settings file to begin with: every setting explained, all at their defaults.

    For example: vllm-gateway config init

    Args:
        path: File to write.
        force: Overwrite the file if it is there.

    Returns:
        The exit status.
    """
    from vllm_gateway.settings.pages.starter import starter  # noqa: PLC0415 - keeps --help quick

    try:
        with path.open("w" if force else "x", encoding="utf-8") as opened:
            opened.write(starter())
    except FileExistsError:
        sys.stderr.write(f"{path} is already there; --force overwrites it.\n")
        return 1
    except OSError as fault:
        sys.stderr.write(f"{path} cannot be written: {fault.strerror}.\n")
        return 1
    sys.stdout.write(f"Wrote {path}. Next: vllm-gateway config check {path}\n")
    return 0


@config.command(show=False)
def docs() -> int:
    """Print docs/configuration.md, made from the settings model.

    For example: vllm-gateway config docs > docs/configuration.md

    Returns:
        The exit status.
    """
    from vllm_gateway.settings.pages.reference import reference  # noqa: PLC0415 - keeps --help quick

    sys.stdout.write(reference())
    return 0


@config.command
def env() -> int:
    """Print an environment file to begin with: every variable explained, all commented out.

    For example: vllm-gateway config env > .env

    Returns:
        The exit status.
    """
    from vllm_gateway.settings.pages.variables import environment_file  # noqa: PLC0415 - keeps --help quick

    sys.stdout.write(environment_file())
    return 0
