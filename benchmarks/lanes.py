"""What a request costs on each lane, with everything on: `python -m benchmarks.lanes`.

One process holds the gateway and a client that does next to nothing, so that CPU time can be read around a few hundred
requests at once. The best of many such rounds is hardly disturbed by what else the machine does, and a loop of plain
Python between the rounds tells how fast the machine was. What the client costs by itself stands in a row of its own;
the replica is another process.
"""

import asyncio
import gc
import logging
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvloop
from typing_extensions import override

from benchmarks import canned, targets
from vllm_gateway import codec, serve
from vllm_gateway.edge.server import Server, Stop
from vllm_gateway.serve.process import OLDER_SEARCHES, YOUNG_OBJECTS
from vllm_gateway.settings.model import Settings

CONNECTIONS = 16
IN_A_ROUND = 320
ROUNDS = 80
KEY = "bench-key-0001"
_BODY = codec.dumps({"model": canned.MODEL, "messages": [{"role": "user", "content": "a" * 500}], "max_tokens": 16})
_REQUEST = (
    b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: application/json\r\n"
    b"content-type: application/json\r\nuser-agent: bench\r\nauthorization: Bearer %b\r\ncontent-length: %d\r\n\r\n%b"
) % (KEY.encode(), len(_BODY), _BODY)
_ALL_ON: dict[str, Any] = {
    "auth": {"mode": "keys", "client_keys": (KEY,)},
    "limits": {"requests_per_minute": 1_000_000_000},
    "log": {"format": "json", "requests": True},
}
_ALL_OFF: dict[str, Any] = {"log": {"requests": False}}


class Client(asyncio.Protocol):
    """Asks again as soon as it has its answer, as long as the round is not over."""

    def __init__(self, next_one: Callable[["Client"], None]) -> None:
        self._next_one = next_one
        self._left = 0
        self.transport: asyncio.Transport | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment] # a stream transport, since a stream was asked for

    def ask(self) -> None:
        """Send the request."""
        if self.transport is not None:
            self.transport.write(_REQUEST)

    @override
    def data_received(self, data: bytes) -> None:
        if not self._left:
            head = data[: data.find(b"\r\n\r\n") + 4].lower()
            if not head.startswith(b"http/1.1 200"):
                raise RuntimeError(f"no answer: {data[:200]!r}")
            self._left = len(head) + int(head.partition(b"content-length: ")[2].partition(b"\r")[0])
        self._left -= len(data)
        if not self._left:
            self._next_one(self)


async def cost_us(port: int) -> tuple[float, float]:
    """Return what one request costs this process: in the best round, and in all of them."""
    loop, clients = asyncio.get_running_loop(), list[Client]()
    to_ask, answered, over = 0, 0, loop.create_future()

    def next_one(client: Client) -> None:
        nonlocal to_ask, answered
        answered += 1
        if to_ask:
            to_ask -= 1
            client.ask()
        elif answered == IN_A_ROUND:
            over.set_result(None)

    for _ in range(CONNECTIONS):
        _, client = await loop.create_connection(lambda: Client(next_one), "127.0.0.1", port)
        clients.append(client)
    rounds = []
    for number in range(ROUNDS + 2):
        to_ask, answered, over = IN_A_ROUND - CONNECTIONS, 0, loop.create_future()
        began = time.process_time()
        for client in clients:
            client.ask()
        await over
        if number > 1:  # the first two warm up
            rounds.append((time.process_time() - began) / IN_A_ROUND * 1e6)
    for client in clients:
        if client.transport is not None:
            client.transport.close()
    return min(rounds), statistics.fmean(rounds)


async def through_a_gateway(replica: int, **settings: Any) -> tuple[float, float]:  # noqa: ANN401 - any setting
    """Return the cost of a request through a gateway with these settings."""
    upstreams = [{"url": f"http://127.0.0.1:{replica}/v1"}]
    chosen = Settings.model_validate({"upstreams": upstreams, "session": {"backend": "memory"}, **settings})
    listener = socket.create_server(("127.0.0.1", 0), backlog=serve.BACKLOG)
    port, stop, listens = listener.getsockname()[1], Stop(), asyncio.Event()
    before = gc.get_threshold()
    async with serve.build(chosen) as parts:
        config = serve.server_config(chosen, parts.door, find_way=parts.find_way)
        server = Server(config, stop=stop, drain=parts.drain.run, greet=listens.set)
        serving = asyncio.get_running_loop().create_task(server.serve(sockets=[listener]))
        await listens.wait()
        gc.collect()
        gc.set_threshold(YOUNG_OBJECTS, *OLDER_SEARCHES)
        found = await cost_us(port)
        gc.set_threshold(*before)
        stop.ask()
        await serving
    return found


async def main(replica: int, folder: Path) -> None:
    """Measure all rows."""
    kept = _ALL_ON | {"usage": {"backend": "sqlite", "path": str(folder / "usage.sqlite")}}
    print("| one answer in one piece, microseconds of CPU | best round | mean |\n|---|---:|---:|")
    rows: dict[str, dict[str, Any] | None] = {
        "the client and nothing else": None,
        "express, nothing on": {**_ALL_OFF, "edge": {"express": True}},
        "express: key, limit, metrics, log": {**_ALL_ON, "edge": {"express": True}},
        "express: the same, and usage in SQLite": {**kept, "edge": {"express": True}},
        "ASGI, nothing on": {**_ALL_OFF, "edge": {"express": False}},
        "ASGI: key, limit, metrics, log": {**_ALL_ON, "edge": {"express": False}},
    }
    for name, settings in rows.items():
        best, mean = await (cost_us(replica) if settings is None else through_a_gateway(replica, **settings))
        print(f"| {name} | {best:.0f} | {mean:.0f} |", flush=True)


if __name__ == "__main__":
    logging.getLogger().setLevel(logging.INFO)
    with (
        tempfile.TemporaryDirectory() as scratch,
        targets.replica(Path(scratch)) as started,
        (Path(scratch) / "log").open("w") as sys.stderr,
    ):
        uvloop.run(main(started.port, Path(scratch)))
