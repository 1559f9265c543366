"""What one of several processes does: serve, and obey the one that watches over it."""

import asyncio
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from vllm_gateway.edge.server import Stop
from vllm_gateway.serve.apart import LimitsApart, check_keys
from vllm_gateway.serve.assembly import build
from vllm_gateway.serve.fork import END_OF_WORDS, RELOAD, RELOADED, STOP
from vllm_gateway.serve.once import open_once
from vllm_gateway.serve.process import CANNOT_START, first_words, loop_factory, serve_parts
from vllm_gateway.serve.reloading import Read
from vllm_gateway.serve.together import open_together
from vllm_gateway.settings.model import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Post:
    """Where a worker stands, and what it is given."""

    number: int
    count: int
    settings: Settings
    read: Read | None
    listener: socket.socket
    beside: socket.socket | None
    """For the admin routes; all workers have the same one."""
    folder: Path
    """Where the workers find each other."""
    engine_url: str | None
    """Where the embedded engine runs, if it does."""
    is_first: bool
    """No worker has ever been ready."""


def work(post: Post, channel: socket.socket) -> int:
    """Serve until told to stop, or until nobody watches over it any more; return the exit status."""
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            return runner.run(_work(post, channel))
    except (LimitsApart, *CANNOT_START) as error:
        log.error("%s", error)  # noqa: TRY400 - the sentence says it all
        return 1


def run_engine(port: int, channel: socket.socket) -> int:
    """Be the embedded engine of all workers, at a port or at any free one."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(_run_engine(port, channel))


async def _work(post: Post, channel: socket.socket) -> int:
    settings, stop = post.settings, Stop()
    if post.is_first:
        await check_keys(settings)
    async with (
        open_once(settings, post.folder / "once", number=post.number, count=post.count) as once,
        build(settings, read=post.read, engine_url=post.engine_url, once=once) as parts,
    ):
        together = open_together(
            parts,
            folder=post.folder,
            number=post.number,
            count=post.count,
            reloaded=lambda: channel.sendall(RELOADED),
        )
        with obeying(channel, stop=stop.ask, reload=parts.reloading.reload_soon):
            async with together as admin:
                await serve_parts(
                    settings,
                    parts,
                    post.listener,
                    beside=post.beside,
                    admin=admin,
                    stop=stop,
                    greet=lambda: _tell(channel, first_words(settings, parts, post.listener, post.beside)),
                )
    return 0


async def _run_engine(port: int, channel: socket.socket) -> int:
    from vllm_gateway import sim  # noqa: PLC0415 - workers before real replicas do without

    stopped = asyncio.Event()
    engine = await sim.start(sim.SimSettings(), port=port)
    with obeying(channel, stop=stopped.set, reload=lambda: None):
        _tell(channel, engine.url)
        await stopped.wait()
    await engine.close()
    return 0


@contextmanager
def obeying(channel: socket.socket, *, stop: Callable[[], None], reload: Callable[[], None]) -> Iterator[None]:
    """Do what the channel says. When it closes, nobody watches any more: that is to stop too."""
    loop = asyncio.get_running_loop()

    def hear() -> None:
        told = channel.recv(64)
        if not told:
            loop.remove_reader(channel)
            stop()
        for number in told:
            if number == STOP[0]:
                stop()
            elif number == RELOAD[0]:
                reload()

    channel.setblocking(False)  # noqa: FBT003 - its argument has no name
    loop.add_reader(channel, hear)
    try:
        yield
    finally:
        loop.remove_reader(channel)


def _tell(channel: socket.socket, words: str) -> None:
    channel.sendall(words.encode() + END_OF_WORDS)
