"""One process that serves: the server under the door, the one under the admin routes, and the first words."""

import asyncio
import gc
import logging
import shlex
import socket
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack

import uvicorn

from vllm_gateway import codec
from vllm_gateway.admission.screen.patterns import ScreenUnusable
from vllm_gateway.edge.admin.listener import serving_beside
from vllm_gateway.edge.app import App
from vllm_gateway.edge.connection import bounded_protocol
from vllm_gateway.edge.express import FindWay, no_way
from vllm_gateway.edge.server import Server, Stop
from vllm_gateway.serve.assembly import Parts
from vllm_gateway.serve.listening import url_of
from vllm_gateway.serve.making import is_embedded
from vllm_gateway.sessions.tokenizer import TokenizerUnusable
from vllm_gateway.settings.model import Edge, Settings
from vllm_gateway.settings.own_url import is_own
from vllm_gateway.state.extras import MissingExtra
from vllm_gateway.telemetry.tracing.choose import TracingUnusable

CANNOT_START = (
    MissingExtra,
    ScreenUnusable,
    TokenizerUnusable,
    TracingUnusable,
)
"""What keeps a gateway from being put together; `str()` of each is one sentence that says what to do."""
YOUNG_OBJECTS = 25_000
"""So many more than before are made before Python looks for those that only hold each other. By its own default of 700
it does so with every few requests, and finds nothing: they are all still being answered. A thousand streams hold some
60,000 objects, and streams that begin in a bunch bring up to 10,000: no search is to follow on that, for all streams
wait until it is over."""
OLDER_SEARCHES = (0, 50)
"""How many searches among the youngest precede one among those that survived one, and how many of these one among all.
What survives is looked at twice at most before it counts as old, so that no search holds up streams for long."""
_PLAIN = Edge()
_OPEN = "Everybody who reaches it may use it: set auth.mode to keys, or keep a firewall before it.\n"
_KEEP_ALIVE_S = 75
"""How long a free connection stays open: longer than clients and balancers keep theirs, so that none of them sends a
request just when it is closed."""
_LAST_WORDS_S = 2
"""How long connections may stay open after the drain."""


async def serve_parts(
    settings: Settings,
    parts: Parts,
    listener: socket.socket,
    *,
    beside: socket.socket | None,
    admin: App | None,
    stop: Stop,
    greet: Callable[[], None],
    stopping: Callable[[], None] = lambda: None,
) -> None:
    """Serve on `listener`, and the admin routes on `beside`, until asked to stop and the drain is over.

    `greet` is called when it begins, `stopping` when the drain does.
    """

    async def drain(is_urgent: Callable[[], bool]) -> None:
        stopping()
        await parts.drain.run(is_urgent)

    async with AsyncExitStack() as stack:
        if admin is not None and beside is not None:
            await stack.enter_async_context(serving_beside(server_config(settings, admin), beside))
        gc.collect()
        gc.freeze()  # what is there now stays: looking at all of it again and again would hold up streams
        gc.set_threshold(YOUNG_OBJECTS, *OLDER_SEARCHES)
        config = server_config(settings, parts.door, find_way=parts.find_way, edge=settings.edge)
        await Server(config, stop=stop, drain=drain, greet=greet).serve(sockets=[listener])


def server_config(settings: Settings, door: App, *, find_way: FindWay = no_way, edge: Edge = _PLAIN) -> uvicorn.Config:
    """Return how uvicorn is to run: it keeps the connections, and leaves the rest to us.

    What `find_way` finds a way for does not pass `door`. Callers use https where `edge` has a certificate.
    """
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    return uvicorn.Config(
        door,
        http=bounded_protocol(
            max_head_bytes=settings.limits.max_header_bytes,
            head_s=settings.timeouts.request_head_s,
            body_s=settings.timeouts.request_body_s,
            find_way=find_way if settings.edge.express else no_way,
        ),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_LAST_WORDS_S,
        ssl_certfile=edge.tls_certificate,
        ssl_keyfile=edge.tls_key,
    )


def loop_factory() -> "type[asyncio.AbstractEventLoop] | None":
    """Return what makes the event loop; None is Python's own."""
    if sys.platform == "win32":
        return None
    import uvloop  # noqa: PLC0415 - there is none on Windows

    return uvloop.Loop


def first_words(settings: Settings, parts: Parts, listener: socket.socket, beside: socket.socket | None) -> str:
    """Return where the gateway is, what is behind it, and one line that works."""
    pool = parts.pool
    url = url_of(listener, is_encrypted=settings.edge.is_encrypted)
    admin = f"Admin routes on {url_of(beside)}/admin, a page on {url_of(beside)}/ui\n" if beside is not None else ""
    usable = [replica for replica in pool.replicas if replica.is_usable]
    models = list(dict.fromkeys(model for replica in usable for model in replica.models if model.isprintable()))
    if is_embedded(settings):
        behind = "No upstream is configured: the embedded engine answers. It invents its words; it is no model."
    else:
        behind = f"{len(usable)} of {len(pool.replicas)} replicas usable; models: {', '.join(models) or 'none yet'}."
    model = codec.dumps(models[0] if models else "MODEL").decode()
    body = shlex.quote(f'{{"model": {model}, "messages": [{{"role": "user", "content": "Hello"}}]}}')
    keys, key = "" if is_own(settings.host) else _OPEN, ""
    if parts.keys.are_asked_for:
        key = "-H 'Authorization: Bearer YOUR_KEY' "
        keys = "" if parts.keys.has_any else "No key exists yet. Make one: vllm-gateway keys create --name NAME\n"
    return (
        f"vllm-gateway on {url}\n{admin}{behind}\n{keys}Try it:\n\n"
        f"  curl {url}/v1/chat/completions {key}-H 'Content-Type: application/json' -d {body}\n\n"
    )


def say(words: str) -> None:
    """Print the first words."""
    sys.stdout.write(words)
    sys.stdout.flush()
