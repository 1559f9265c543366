"""A gateway that listens: in this process, or in several that this one watches over."""

import asyncio
import logging
import signal
import socket
import sys
from contextlib import ExitStack

from vllm_gateway.edge.server import Stop
from vllm_gateway.serve.assembly import build
from vllm_gateway.serve.listening import ADMIN_CURE, CURE, CannotListen, check_certificate, listen
from vllm_gateway.serve.open_files import raise_limit
from vllm_gateway.serve.process import CANNOT_START, first_words, loop_factory, say, serve_parts
from vllm_gateway.serve.reloading import Read
from vllm_gateway.serve.supervisor import Supervisor
from vllm_gateway.serve.workers import run_workers
from vllm_gateway.settings.model import Settings
from vllm_gateway.telemetry.logs.form import renderer, set_up

log = logging.getLogger(__name__)


def run(settings: Settings, *, read: Read | None = None) -> int:
    """Serve until told to stop; return the exit status: 0 after an orderly end, 1 when it could not start.

    `read` reads the settings again, for SIGHUP and for the admin listener.
    """
    set_up(settings.log_level, renderer(settings.log.format, sys.stderr), sys.stderr)
    raise_limit()
    if sys.platform != "win32":  # which has no such signal
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until there is something that can be read again
    certificate, key = settings.edge.tls_certificate, settings.edge.tls_key
    try:
        if certificate is not None and key is not None:
            check_certificate(certificate, key)
        return (run_workers if settings.workers > 1 else _run_alone)(settings, read)
    except (CannotListen, *CANNOT_START) as error:
        log.error("%s", error)  # noqa: TRY400 - the sentence says it all
        return 1


def _run_alone(settings: Settings, read: Read | None) -> int:
    stop, admin = Stop(), settings.admin
    with ExitStack() as stack:
        listener = stack.enter_context(listen(settings.host, settings.port, cure=CURE))
        beside = None
        if settings.auth.admin_key is not None:
            beside = stack.enter_context(listen(admin.host, admin.port, cure=ADMIN_CURE))
        stack.enter_context(stop.on_signals())
        runner = stack.enter_context(asyncio.Runner(loop_factory=loop_factory()))
        return runner.run(_serve(settings, listener, beside, stop, read))


async def _serve(
    settings: Settings, listener: socket.socket, beside: socket.socket | None, stop: Stop, read: Read | None
) -> int:
    async with build(settings, read=read) as parts:
        supervisor = Supervisor()

        def hang_up() -> None:
            supervisor.reloading()
            parts.reloading.reload_soon(supervisor.ready)

        def greet() -> None:
            say(first_words(settings, parts, listener, beside))
            supervisor.ready()

        if sys.platform != "win32":
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hang_up)
        await serve_parts(
            settings,
            parts,
            listener,
            beside=beside,
            admin=parts.admin,
            stop=stop,
            greet=greet,
            stopping=supervisor.stopping,
        )
    return 0
