"""`vllm-gateway top`."""

import sys
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from vllm_gateway.settings.surroundings import said

KEY_VARIABLE = "GATEWAY_AUTH__ADMIN_KEY"

if TYPE_CHECKING:
    from vllm_gateway.settings import Settings
    from vllm_gateway.terminal.api import Target
    from vllm_gateway.terminal.top.wishes import Wishes


def top(
    *,
    url: str | None = None,
    admin_key: str | None = None,
    theme: str | None = None,
    theme_background: Annotated[bool | None, Parameter(negative="--no-theme-background")] = None,
    preset: Literal[1, 2, 3, 4, 5] | None = None,
    every_s: Annotated[float | None, Parameter(validator=Number(gte=0.1, lte=3600))] = None,
    once: bool = False,
    json: bool = False,
    config: Annotated[Path | None, Parameter(name="--config")] = None,
) -> int:
    """Watch a fleet: replicas, what is under way, who uses what, what went wrong. Drains and resumes replicas.

    It asks the admin listener of a gateway, which has to have an admin key (auth.admin_key). Where nothing else is
    said, the settings of this machine tell where it is and what the key is. ? explains the keys.

    For example: vllm-gateway top

    Or, from another machine: ssh -L 8081:127.0.0.1:8081 gpu-host, and then
    GATEWAY_AUTH__ADMIN_KEY=... vllm-gateway top --url http://127.0.0.1:8081

    Or, in a script: vllm-gateway top --once --json | jq '.replicas[] | select(.state != "in") | .name'

    Args:
        url: Address of the admin listener. [default: admin.host and admin.port, http://127.0.0.1:8081]
        admin_key: Its key; here others on this machine can see it. [env: GATEWAY_AUTH__ADMIN_KEY]
        theme: system (what the desktop or btop wears), terminal (the terminal's 16 colours), a theme's name, or the
            path of a btop theme. [default: system]
        theme_background: Draw the theme's background, not the terminal's own.
        preset: Which boxes are shown first: 1 all, 2 fleet, 3 traffic, 4 shares, 5 speed. [default: 1]
        every_s: Seconds between two looks. [default: 1]
        once: Print one picture and leave.
        json: With --once: print JSON.
        config: Settings file. [default: GATEWAY_CONFIG, else gateway.yaml if it is there]

    Returns:
        The exit status.
    """
    if json and not once:
        sys.stderr.write("--json needs --once: one picture, as JSON.\n")
        return 2
    flags = {"theme": theme, "has_background": theme_background, "preset": preset, "every_s": every_s}
    wishes = _wishes(url=url, admin_key=admin_key or said(KEY_VARIABLE), **flags)
    if wishes is None:
        return 1
    from vllm_gateway.terminal.top.running import run_live, run_once  # noqa: PLC0415 - keeps --help quick

    if not once:
        return run_live(lambda: _target(wishes.url, wishes.admin_key, config), wishes)
    target = _target(wishes.url, wishes.admin_key, config)
    return 1 if target is None else run_once(target, json=json, width=get_terminal_size((120, 24)).columns)


def _wishes(**flags: object) -> "Wishes | None":
    """Return what the user's file wishes, with the flags over it, or tell what is wrong with the file."""
    from vllm_gateway.terminal.settings import SettingsMistaken, load_settings  # noqa: PLC0415 - keeps --help quick
    from vllm_gateway.terminal.top.wishes import read_wishes  # noqa: PLC0415 - as above

    try:
        return read_wishes(load_settings()).over(**flags)
    except SettingsMistaken as mistake:
        sys.stderr.write(f"{mistake}\n")
        return None


def _target(url: str | None, admin_key: str | None, config: Path | None) -> "Target | None":
    """Return where to ask, or tell what is missing; the gateway's settings are read only for what was not said."""
    from vllm_gateway.terminal.api import Target  # noqa: PLC0415 - keeps --help quick

    if url is None or admin_key is None:
        from vllm_gateway.cli.loading import loaded_or_told  # noqa: PLC0415 - as above

        loaded = loaded_or_told(config)
        if loaded is None:
            return None
        kept = loaded.settings.auth.admin_key
        url = url or _listener(loaded.settings)
        admin_key = admin_key or (kept.get_secret_value() if kept is not None else None)
    try:
        return Target.at(url, admin_key)
    except ValueError as wrong:
        sys.stderr.write(f"{wrong}\n")
        return None


def _listener(settings: "Settings") -> str:
    host = settings.admin.host
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.admin.port or 8081}"
