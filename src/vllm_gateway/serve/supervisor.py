"""What a supervisor like systemd is told: ready, reloading, stopping (`Type=notify`, `Type=notify-reload`)."""

import logging
import socket
import sys
from collections.abc import Callable

from vllm_gateway.clock import Clock, SystemClock
from vllm_gateway.settings.surroundings import said

log = logging.getLogger(__name__)

_VARIABLE = "NOTIFY_SOCKET"

Send = Callable[[str], None]


def send_to_systemd(state: str) -> None:
    """Send a datagram to whoever started this process and asked for one; without anybody who did, do nothing."""
    address = said(_VARIABLE)
    if address is None or sys.platform == "win32":
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.connect(f"\0{address[1:]}" if address.startswith("@") else address)
            channel.sendall(state.encode())
    except OSError as fault:
        log.warning("the supervisor at %s (%s) cannot be told: %s", _VARIABLE, address, fault.strerror or fault)


class Supervisor:
    """Whoever started this process and wants to know how it gets on."""

    def __init__(self, send: Send = send_to_systemd, clock: Clock | None = None) -> None:
        self._send = send
        self._clock = clock or SystemClock()

    def ready(self) -> None:
        """Tell that requests are answered; also when a reload is over."""
        self._send("READY=1")

    def reloading(self) -> None:
        """Tell that the settings are being read again; `ready` ends it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={self._clock.now() * 1e6:.0f}")

    def stopping(self) -> None:
        """Tell that the shutdown has begun."""
        self._send("STOPPING=1")
