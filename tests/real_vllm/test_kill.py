"""A replica dies under load, all its processes at once, and the gateway goes on with the other one."""

import asyncio
from collections.abc import Iterator

import httpx2
import pytest

from tests.real_vllm.asked import CHAT, chat, gauge, questions
from tests.real_vllm.fleet import Fleet, Server, gateway, replica
from vllm_gateway import codec

STREAMS = 24
DONE = b"data: [DONE]\n\n"


@pytest.fixture(scope="module")
def doomed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a replica that nobody else needs."""
    with replica(tmp_path_factory.mktemp("doomed") / "doomed.log") as server:
        server.wait_until_ready("/health")
        yield server


@pytest.fixture(scope="module")
def front(replicas: Fleet, doomed: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a gateway over one replica that lives and one that is about to die."""
    with gateway(tmp_path_factory.mktemp("front") / "gateway.log", replicas.first, doomed) as server:
        yield server


async def read_to_the_end(http: httpx2.AsyncClient, url: str, question: str, started: asyncio.Semaphore) -> bytes:
    """Return every byte of a long stream, however it ends; say when its first byte has come."""
    body = chat(question, max_tokens=1500, ignore_eos=True, stream=True)
    kept = bytearray()
    async with http.stream("POST", url + CHAT, json=body) as response:
        try:
            async for piece in response.aiter_raw():
                if not kept:
                    started.release()
                kept += piece
        except httpx2.RemoteProtocolError:
            assert kept, "A cut stream closes its connection, but only after it has told why."
    return bytes(kept)


def assert_tells_why(stream: bytes) -> None:
    """Check that a cut stream ends with one whole error event."""
    assert b"[DONE]" not in stream
    assert stream.endswith(b"\n\n")
    *_, last = stream.removesuffix(b"\n\n").split(b"\n\n")
    error = codec.loads(last.removeprefix(b"data: "))["error"]
    assert error["message"]
    assert "127.0.0.1" not in error["message"]


async def test_kill(http: httpx2.AsyncClient, front: Server, replicas: Fleet, doomed: Server) -> None:
    """Streams of the dead replica end with an error event and no [DONE]; others and every new request succeed."""
    started = asyncio.Semaphore(0)
    async with asyncio.TaskGroup() as tasks:
        streams = [tasks.create_task(read_to_the_end(http, front.url, q, started)) for q in questions(STREAMS)]
        for _ in streams:
            await started.acquire()
        lost = gauge((await http.get(f"{doomed.url}/metrics")).text, "vllm:num_requests_running")
        doomed.kill()
        replies = await asyncio.gather(*(http.post(front.url + CHAT, json=chat(q)) for q in questions(50)))
        replies += [await http.post(front.url + CHAT, json=chat()) for _ in range(20)]
    ended = [stream.result() for stream in streams]
    cut = [stream for stream in ended if not stream.endswith(DONE)]
    assert {reply.status_code for reply in replies} == {200}
    assert 0 < lost == len(cut) < STREAMS
    for stream in cut:
        assert_tells_why(stream)
    assert (await http.get(f"{replicas.first.url}/health")).status_code == 200
