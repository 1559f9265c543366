"""What becomes of the program itself: told to stop, out of files, fed garbage without end."""

import asyncio
import contextlib
import signal
import time
from pathlib import Path

import httpx2

from tests.scripted import MODEL, Visit, as_replica, scripted
from tests.waiting import PATIENCE_S, until
from tests.wire.programs import Program, program
from tests.wire.sims import fast
from tests.wire.streams import CHAT, Streamed, ask
from tests.wire.test_earlier_deployments import replica

MEGABYTE = b"x" * 1_000_000
EVENTS = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
ENDLESS = {
    "one event": (EVENTS + b"data: ", MEGABYTE),
    "comment": (EVENTS + b": ", MEGABYTE),
    "NUL": (EVENTS, b"\0" * 1_000_000),
    "head": (b"HTTP/1.1 200 OK\r\n", b"x: y\r\n" * 150_000),
    "header": (b"HTTP/1.1 200 OK\r\nx: ", MEGABYTE),
    "interim answers": (b"", b"HTTP/1.1 103 Early Hints\r\nx: y\r\n\r\n" * 30_000),
    "packed": (b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\n\r\n", MEGABYTE),
    "error": (b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 1000000000\r\n\r\n", MEGABYTE),
}
"""How an answer begins that never ends, and how it goes on."""


async def test_garbage_without_end_takes_no_memory(tmp_path: Path) -> None:
    """F-07: of 100 MB of nonsense, in eight forms, no more is kept at once than a few megabytes."""
    sent: dict[str, int] = {}

    async def answer(visit: Visit, request: bytes) -> None:
        kind = next((each for each in ENDLESS if f'"{each}"'.encode() in request), None)
        if kind is None:
            await visit.say_json(b'{"choices":[]}')
            return
        begin, more = ENDLESS[kind]
        sent[kind] = 0
        await visit.say(begin)
        for _ in range(100):
            await visit.say(more)
            sent[kind] += len(more)

    async with (
        scripted(as_replica(answer)) as liar,
        program(tmp_path, liar.url, GATEWAY_PROBE__EVERY_S="600", GATEWAY_RETRY__ATTEMPTS="1") as door,
        httpx2.AsyncClient(base_url=door.url, timeout=PATIENCE_S, trust_env=False) as http,
    ):
        body = {"model": MODEL, "messages": [], "stream": True}
        assert (await http.post(CHAT, json={**body, "stream": False})).status_code == 200
        before = door.most_memory_bytes
        for kind in ENDLESS:
            text = b""
            async with http.stream("POST", CHAT, json={**body, "user": kind}) as reply:
                with contextlib.suppress(httpx2.RemoteProtocolError):
                    async for data in reply.aiter_raw():
                        text += data
            assert b'"error"' in text, kind
            assert sent[kind] < 100 * len(ENDLESS[kind][1]), kind
        assert door.most_memory_bytes - before < 30_000_000


async def test_told_to_stop_under_load_it_drops_nothing(tmp_path: Path) -> None:
    """F-15: ready is no and alive is yes at once, new work is refused, 20 streams come whole, and the status is 0."""
    async with (
        replica(fast(itl_ms=15)) as sim,
        program(tmp_path, sim.url, GATEWAY_DRAIN_S="600") as door,
        httpx2.AsyncClient(base_url=door.url, timeout=PATIENCE_S, trust_env=False) as http,
    ):
        streams = [Streamed(http, f"Question {number}", tokens=60) for number in range(20)]
        await until(lambda: all(stream.text for stream in streams))
        sim.wedge(is_wedged=True)  # none of them is over before all has been looked at
        door.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE_S):
            while (await http.get("/readyz")).status_code == 200:  # noqa: ASYNC110 - it tells who asks
                await asyncio.sleep(0.01)
        assert (await http.get("/livez")).status_code == 200
        assert (await ask(http)).status_code == 503
        sim.wedge(is_wedged=False)
        await asyncio.gather(*(stream.task for stream in streams))
        assert all(stream.is_whole for stream in streams)
        assert await asyncio.wait_for(door.process.wait(), PATIENCE_S) == 0


async def test_what_does_not_end_in_time_is_told_so_and_the_program_ends(tmp_path: Path) -> None:
    """F-15: past the time for the end every stream gets one error event and no end, and the status is 0."""
    async with (
        replica(fast(itl_ms=50)) as sim,
        program(tmp_path, sim.url, GATEWAY_DRAIN_S="0.2") as door,
        httpx2.AsyncClient(base_url=door.url, timeout=PATIENCE_S, trust_env=False) as http,
    ):
        streams = [Streamed(http, f"Question {number}", tokens=1000) for number in range(10)]
        await until(lambda: all(stream.text for stream in streams))
        door.process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(door.process.wait(), PATIENCE_S) == 0
        await asyncio.gather(*(stream.task for stream in streams), return_exceptions=True)
        assert [(len(stream.errors), stream.is_done) for stream in streams] == [(1, False)] * 10


FILES, CALLERS = 256, 400


async def crowd(door: Program) -> list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Connect more callers than the program may have files."""
    opened = []
    for _ in range(CALLERS):
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
        opened.append((reader, writer))
    return opened


async def test_without_files_left_what_runs_goes_on(tmp_path: Path) -> None:
    """F-20: with 256 files and 400 callers open streams come whole, the processor rests, and afterwards all is well."""
    async with (
        replica(fast(itl_ms=20)) as sim,
        program(tmp_path, sim.url, most_files=FILES) as door,
        httpx2.AsyncClient(base_url=door.url, timeout=PATIENCE_S, trust_env=False) as http,
    ):
        streams = [Streamed(http, f"Question {number}", tokens=100) for number in range(10)]
        await until(lambda: all(stream.text for stream in streams))
        sim.wedge(is_wedged=True)
        callers = await crowd(door)
        await until(lambda: door.files >= FILES - 10)
        await asyncio.sleep(0.2)
        before, began = door.cpu_s, time.perf_counter()
        await asyncio.sleep(0.7)
        assert door.cpu_s - before < 0.5 * (time.perf_counter() - began)
        sim.wedge(is_wedged=False)
        await asyncio.gather(*(stream.task for stream in streams))
        assert all(stream.is_whole for stream in streams)
        for _, writer in callers:
            writer.close()
        await until(lambda: door.files < FILES / 2)
        async with httpx2.AsyncClient(base_url=door.url, timeout=PATIENCE_S, trust_env=False) as fresh:
            async with asyncio.timeout(PATIENCE_S):
                while (await ask(fresh)).status_code != 200:  # noqa: ASYNC110 - its looks have failed too, until the next
                    await asyncio.sleep(0.05)
        assert "Traceback" not in (tmp_path / "gateway.log").read_text()
