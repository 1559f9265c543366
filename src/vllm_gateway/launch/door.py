"""Whether the gateway will start: looked at first, since models may take minutes until it is its turn."""

import socket
from collections.abc import Mapping
from pathlib import Path

from vllm_gateway.launch.wishes import Wishes, WishImpossible
from vllm_gateway.settings import load


def check_gateway(wishes: Wishes, environment: Mapping[str, str]) -> None:
    """Return when the gateway can start in this environment.

    Raises:
        SettingsInvalid: something is wrong with its settings.
        WishImpossible: it cannot listen where it is to.
    """
    config = Path(wishes.config) if wishes.config is not None else None
    settings = load(config=config, flags=(), environment=environment, directory=Path.cwd()).settings
    host = wishes.host or settings.host
    port = settings.port if wishes.port is None else wishes.port
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.create_server(address[:2], family=family):
            return
    except OSError as fault:
        raise WishImpossible(
            f"The gateway cannot listen on {host}:{port}: {fault.strerror or fault}. Choose another --host or --port."
        ) from fault
