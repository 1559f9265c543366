"""One request being answered."""

import re

from tests.sim.quick import HELLO, quick, text_of
from tests.sim.raw import GET, answer, chat, wire


async def test_http_1_0_gets_no_chunks() -> None:
    """An old caller reads a stream until the connection ends."""
    async with quick() as sim, wire(sim) as (reader, writer):
        writer.write(chat(stream=True, max_tokens=3).replace(b"HTTP/1.1", b"HTTP/1.0"))
        text = await reader.read()
        assert b"transfer-encoding" not in text
        assert text.endswith(b"\n\ndata: [DONE]\n\n")


async def test_each_event_is_a_chunk_of_its_own() -> None:
    """The framing is uvicorn's: one event, one chunk, one write."""
    async with quick(itl_ms=1) as sim, wire(sim) as (reader, writer):
        writer.write(chat(stream=True, max_tokens=4))
        await reader.readuntil(b"\r\n\r\n")
        chunks = []
        while size := int(await reader.readline(), 16):
            chunks.append((await reader.readexactly(size + 2))[:-2])
        assert len(chunks) == 6
        assert all(chunk.startswith(b"data: ") and chunk.endswith(b"\n\n") for chunk in chunks)


async def test_every_answer_is_dated_by_the_clock() -> None:
    """The common header lines name the second and the sim."""
    async with quick() as sim, wire(sim) as (reader, writer):
        writer.write(GET)
        head, _ = await answer(reader)
        assert re.search(rb"\r\ndate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\nserver: vllm-gateway-sim\r\n", head)


async def test_an_answer_to_head_has_no_body() -> None:
    """It tells the length of what it leaves out, and the connection goes on."""
    async with quick() as sim, wire(sim) as (reader, writer):
        writer.write(GET.replace(b"GET", b"HEAD") + GET)
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"content-length: 31" in head
        assert (await answer(reader))[1] == b'{"version":"0.32.0"}'


async def test_silence_is_filled_with_comments() -> None:
    """While the first token is awaited and between slow tokens; the text is not touched, and nothing comes after it."""
    async with quick(sse_keep_alive_s=0.02, ttft_ms=70, itl_ms=1) as sim:
        told = await sim.http.post("/v1/chat/completions", json=HELLO | {"stream": True})
        whole = await sim.post("/v1/chat/completions", **HELLO)
        assert told.text.startswith(": keep-alive\n\n: keep-alive\n\n")
        assert told.text.count(": keep-alive") in {2, 3, 4}
        assert told.text.endswith("data: [DONE]\n\n")
        assert text_of(await sim.stream("/v1/chat/completions", **HELLO)) == whole["choices"][0]["message"]["content"]


async def test_no_comment_is_sent_for_nobody() -> None:
    """The pulse of a stream ends with its caller."""
    async with quick(sse_keep_alive_s=0.01, ttft_ms=5000) as sim:
        async with wire(sim) as (reader, writer):
            writer.write(chat(stream=True))
            await reader.readuntil(b": keep-alive")
        async with wire(sim) as (reader, writer):
            writer.write(GET)
            assert (await answer(reader))[1] == b'{"version":"0.32.0"}'
