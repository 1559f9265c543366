"""`vllm-gateway healthcheck`."""

import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number


def healthcheck(
    *,
    url: str | None = None,
    ready: bool = False,
    timeout_s: Annotated[float, Parameter(validator=Number(gt=0, lte=60))] = 3.0,
    config: Annotated[Path | None, Parameter(name="--config")] = None,
) -> int:
    """Ask a gateway whether it is alive; for containers and supervisors that have no other way to ask.

    It ends with 0 when the answer is yes. Without an address it asks the gateway that the settings here describe.

    For example: vllm-gateway healthcheck --ready

    Args:
        url: Address of the gateway. [default: host and port of the settings, on this machine]
        ready: Ask whether new work may come, which needs a usable replica, not only whether the process runs.
        timeout_s: Seconds that the answer may take.
        config: Settings file. [default: GATEWAY_CONFIG, else gateway.yaml if it is there]

    Returns:
        The exit status.
    """
    import asyncio  # noqa: PLC0415 - keeps --help quick

    from vllm_gateway.terminal.api import Client, Fault, Target  # noqa: PLC0415 - as above

    where = url or _own_address(config)
    if where is None:
        return 1
    try:
        client = Client(Target.at(where))
        asyncio.run(_within(client.get("/readyz" if ready else "/livez", patience_s=timeout_s), timeout_s))
    except (Fault, ValueError) as fault:
        sys.stderr.write(f"{fault}\n")
        return 1
    except TimeoutError:
        sys.stderr.write(f"The gateway at {where} did not answer within {timeout_s:g} s.\n")
        return 1
    return 0


async def _within(asking: Coroutine[Any, Any, object], timeout_s: float) -> None:
    import asyncio  # noqa: PLC0415 - keeps --help quick

    async with asyncio.timeout(timeout_s):
        await asking


def _own_address(config: Path | None) -> str | None:
    """Return where the gateway of these settings listens, as it is reached from its own machine."""
    from vllm_gateway.cli.loading import loaded_or_told  # noqa: PLC0415 - keeps --help quick
    from vllm_gateway.settings.own_url import own_url  # noqa: PLC0415 - as above

    loaded = loaded_or_told(config)
    if loaded is None:
        return None
    settings = loaded.settings
    return own_url(settings.host, settings.port, is_encrypted=settings.edge.is_encrypted)
