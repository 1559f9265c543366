"""A gateway that listens: sockets, signals, and the first words."""

import asyncio
import gc
import logging
import signal
import socket
import sys
from contextlib import AsyncExitStack, ExitStack
from functools import partial

import uvicorn

from vllm_gateway.admission.keys.stores.choose import MissingDriver
from vllm_gateway.admission.limits.choose import MissingClient
from vllm_gateway.admission.screen.patterns import ScreenUnusable
from vllm_gateway.edge.admin.listener import serving_beside
from vllm_gateway.edge.app import App
from vllm_gateway.edge.connection import bounded_protocol
from vllm_gateway.edge.server import Server, Stop
from vllm_gateway.serve.assembly import Parts, build
from vllm_gateway.serve.making import is_embedded
from vllm_gateway.serve.reloading import Read
from vllm_gateway.sessions.stores.choose import MissingExtra
from vllm_gateway.sessions.tokenizer import TokenizerUnusable
from vllm_gateway.settings.model import Settings

log = logging.getLogger(__name__)

BACKLOG = 4096
"""Connections that may wait to be accepted: a thousand callers at once are no attack."""
_LAST_WORDS_S = 2
"""How long connections may stay open after the drain."""


class CannotListen(Exception):
    """An address cannot be listened on; `str()` of it is one sentence that says what to do."""


def run(settings: Settings, *, read: Read | None = None) -> int:
    """Serve until told to stop; return the exit status: 0 after an orderly end, 1 when it could not start.

    `read` reads the settings again, for SIGHUP and for the admin listener.
    """
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr
    )
    if sys.platform != "win32":  # which has no such signal
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until there is something that can be read again
    stop, admin = Stop(), settings.admin
    try:
        with ExitStack() as stack:
            listener = stack.enter_context(_listen(settings.host, settings.port, cure="Choose another with --port."))
            beside = None
            if settings.auth.admin_key is not None:
                beside = stack.enter_context(_listen(admin.host, admin.port, cure="Choose another as admin.port."))
            stack.enter_context(stop.on_signals())
            runner = stack.enter_context(asyncio.Runner(loop_factory=_loop_factory()))
            return runner.run(_serve(settings, listener, beside, stop, read))
    except (CannotListen, MissingClient, MissingDriver, MissingExtra, ScreenUnusable, TokenizerUnusable) as error:
        log.error("%s", error)  # noqa: TRY400 - the sentence says it all
        return 1


async def _serve(
    settings: Settings, listener: socket.socket, beside: socket.socket | None, stop: Stop, read: Read | None
) -> int:
    async with build(settings, read=read) as parts, AsyncExitStack() as stack:
        if sys.platform != "win32":
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, parts.reloading.reload_soon)
        if parts.admin is not None and beside is not None:
            await stack.enter_async_context(serving_beside(server_config(settings, parts.admin), beside))
        greet = partial(_greet, settings, parts, listener, beside)
        gc.collect()
        gc.freeze()  # what is there now stays: looking at all of it again and again would hold up streams
        config = server_config(settings, parts.door)
        await Server(config, stop=stop, drain=parts.drain.run, greet=greet).serve(sockets=[listener])
    return 0


def server_config(settings: Settings, door: App) -> uvicorn.Config:
    """Return how uvicorn is to run: it keeps the connections, and leaves the rest to us."""
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    return uvicorn.Config(
        door,
        http=bounded_protocol(
            max_head_bytes=settings.limits.max_header_bytes,
            head_s=settings.timeouts.request_head_s,
            body_s=settings.timeouts.request_body_s,
        ),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_LAST_WORDS_S,
    )


def _listen(host: str, port: int, *, cure: str) -> socket.socket:
    """Bind before anything else is started, so that a port in use is told at once and in one sentence."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # named, or asyncio does not send at once
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise CannotListen(f"Cannot listen on {host}:{port}: {error.strerror or error}. {cure}") from error
    return listener


def _loop_factory() -> "type[asyncio.AbstractEventLoop] | None":
    if sys.platform == "win32":
        return None
    import uvloop  # noqa: PLC0415 - there is none on Windows

    return uvloop.Loop


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _greet(settings: Settings, parts: Parts, listener: socket.socket, beside: socket.socket | None) -> None:
    """Say where the gateway is, what is behind it, and one line that works."""
    pool = parts.pool
    url = _url(listener)
    admin = f"Admin routes on {_url(beside)}/admin\n" if beside is not None else ""
    usable = [replica for replica in pool.replicas if replica.is_usable]
    models = list(dict.fromkeys(model for replica in usable for model in replica.models))
    if is_embedded(settings):
        behind = "No upstream is configured: the embedded engine answers. It invents its words; it is no model."
    else:
        behind = f"{len(usable)} of {len(pool.replicas)} replicas usable; models: {', '.join(models) or 'none yet'}."
    body = f'{{"model": "{models[0] if models else "MODEL"}", "messages": [{{"role": "user", "content": "Hello"}}]}}'
    keys, key = "", ""
    if parts.keys.are_asked_for:
        key = "-H 'Authorization: Bearer YOUR_KEY' "
        keys = "" if parts.keys.has_any else "No key exists yet. Make one: vllm-gateway keys create --name NAME\n"
    sys.stdout.write(
        f"vllm-gateway on {url}\n{admin}{behind}\n{keys}Try it:\n\n"
        f"  curl {url}/v1/chat/completions {key}-H 'Content-Type: application/json' -d '{body}'\n\n"
    )
    sys.stdout.flush()
