"""What each fault looks like from outside, on raw sockets and through a client."""

import asyncio
from typing import Any

import httpx2
import pytest

from tests.sim.quick import HELLO, LONG, Quick, events, quick, text_of
from tests.waiting import until
from vllm_gateway import codec

CHAT = "/v1/chat/completions"
MESSAGES = "/v1/messages"
RESPONSES = "/v1/responses"


async def raw(sim: Quick, path: str = CHAT, **body: Any) -> tuple[bytes, type[BaseException] | None]:  # noqa: ANN401
    """Send a request; return every byte that came back, and how the connection ended."""
    reader, writer = await asyncio.open_connection("127.0.0.1", sim.sim.port)
    text = codec.dumps(LONG | {"stream": True} | body)
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(text)}\r\n\r\n"
    writer.write(head.encode() + text)
    got, ended = b"", None
    try:
        async with asyncio.timeout(1):
            while piece := await reader.read(65536):
                got += piece
    except (ConnectionResetError, TimeoutError) as reason:
        ended = type(reason)
    writer.close()
    return got, ended


def deltas(got: bytes) -> int:
    """Return how many token events there are."""
    return got.count(b'"delta":{"content":')


async def test_a_reset_comes_after_so_many_tokens() -> None:
    """The caller sees an RST, having read exactly that many token events."""
    async with quick(itl_ms=1) as sim:
        got, ended = await raw(sim, model="sim-small!reset@7")
        assert (deltas(got), ended) == (7, ConnectionResetError)
        seen = sim.sim.log.requests[0]
        assert (seen.fault, seen.connection.closed_by) == ("reset@7", "fault")
        assert not sim.sim.engine.scheduler.running


async def test_a_reset_without_a_token_comes_before_any_byte() -> None:
    """As from a replica that dies when it is asked."""
    async with quick() as sim:
        assert await raw(sim, model="sim-small!reset") == (b"", ConnectionResetError)


async def test_an_end_without_a_reason() -> None:
    """A FIN after so many tokens: no finish reason, no end of the chunks."""
    async with quick(itl_ms=1) as sim:
        got, ended = await raw(sim, model="sim-small!eof@5")
    assert (deltas(got), ended) == (5, None)
    assert b'"finish_reason":"' not in got
    assert not got.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("where", ["event", "chunk", "char"])
async def test_a_cut_ends_inside(where: str) -> None:
    """Inside an event in a whole chunk, inside a chunk, or inside a character."""
    async with quick(itl_ms=0.5) as sim:
        got, ended = await raw(sim, model=f"sim-small!cut={where}@3", seed=3, temperature=1)
    assert ended is None
    body = got.partition(b"\r\n\r\n")[2]
    chunks, rest = unchunked(body)
    if where == "chunk":
        assert rest
        assert deltas(b"".join(chunks)) == 3
    else:
        assert not rest
        assert not chunks[-1].endswith(b"\n\n")
    if where == "event":
        assert deltas(b"".join(chunks[:-1])) == 3
    if where == "char":
        with pytest.raises(UnicodeDecodeError, match="unexpected end of data"):
            chunks[-1].decode()


def unchunked(body: bytes) -> tuple[list[bytes], bytes]:
    """Return the whole chunks of a body, and what is left of a broken one."""
    chunks: list[bytes] = []
    while body:
        line, _, rest = body.partition(b"\r\n")
        size = int(line, 16)
        if len(rest) < size + 2:
            return chunks, body
        chunks.append(rest[:size])
        body = rest[size + 2 :]
    return chunks, b""


async def test_a_stall_says_nothing_more_and_stays() -> None:
    """The connection is open, the tokens stop, and the request ends when its caller leaves."""
    async with quick(itl_ms=0.5) as sim:
        got, ended = await raw(sim, model="sim-small!stall@4")
        assert (deltas(got), ended) == (4, TimeoutError)
        await until(lambda: sim.sim.log.requests[0].gone_at is not None)
        assert sim.sim.log.in_flight == 0


async def test_a_stall_that_ends_goes_on_where_it_was() -> None:
    """After its time everything that was held back comes, whole and in order."""
    async with quick() as sim:
        body = HELLO | {"max_tokens": 12}
        usual = await sim.stream(CHAT, **body)
        began = asyncio.get_running_loop().time()
        late = await sim.stream(CHAT, **body, model="sim-small!stall=0.1@4")
    assert asyncio.get_running_loop().time() - began >= 0.1
    assert text_of(late) == text_of(usual)
    assert late[-1] == "[DONE]"


@pytest.mark.parametrize(
    ("fault", "status", "retry_after"),
    [("status=503", 503, None), ("status=429", 429, None), ("status=429:2", 429, "2"), ("status=599", 599, None)],
)
async def test_a_status(fault: str, status: int, retry_after: str | None) -> None:
    """With an error body, and with `Retry-After` if it is wanted."""
    async with quick(faults=(fault,)) as sim:
        answer = await sim.http.post(CHAT, json=HELLO)
    assert (answer.status_code, answer.headers.get("retry-after")) == (status, retry_after)
    assert answer.json()["error"]["code"] == status


async def test_a_filter_refuses_what_is_said() -> None:
    """With a 400 whose code names the filter."""
    async with quick(faults=("filterx1",)) as sim:
        answer = await sim.http.post(CHAT, json=HELLO)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "content_filter")
        await sim.post(CHAT, **HELLO)


async def test_a_template_that_takes_no_prefill() -> None:
    """Chats that end with the assistant's words, or continue the last message, are refused; others and prompts not."""
    user = {"role": "user", "content": "Hello"}
    said = [user, {"role": "assistant", "content": "Well"}]
    continued = {"messages": [user], "continue_final_message": True, "add_generation_prompt": False}
    async with quick(faults=("noprefill",)) as sim:
        statuses = [(await sim.http.post(CHAT, json=body)).status_code for body in ({"messages": said}, continued)]
        assert statuses == [400, 400]
        await sim.post(CHAT, **HELLO)
        await sim.post("/v1/completions", prompt="Well", max_tokens=2)
        assert (
            await sim.http.post(CHAT, content=b"{", headers={"content-type": "application/json"})
        ).status_code == 400


async def test_the_time_of_a_fault_is_noted() -> None:
    """A reset after some tokens has a time between the first of them and the end."""
    async with quick(itl_ms=1) as sim:
        await raw(sim, model="sim-small!reset@3")
        seen = sim.sim.log.requests[0]
    assert seen.fault_at is not None
    assert (seen.first_token_at or 9e9) <= seen.fault_at <= (seen.ended_at or 0)


async def test_a_status_may_happen_to_probes() -> None:
    """When the path says so; work is then left alone."""
    async with quick(faults=("status=500x1/health",)) as sim:
        assert [(await sim.http.get("/health")).status_code for _ in range(2)] == [500, 200]
        await sim.post(CHAT, **HELLO)


async def test_a_slow_first_token() -> None:
    """The head comes at once, the first token late, streamed or not."""
    async with quick(faults=("slow=0.1",)) as sim:
        async with sim.http.stream("POST", CHAT, json=HELLO | {"stream": True}) as answer:
            await answer.aread()
        await sim.post(CHAT, **HELLO)
        for seen in sim.sim.log.requests:
            assert (seen.first_token_at or 0) - seen.head_at >= 0.099
        assert (sim.sim.log.requests[0].first_byte_at or 1) - sim.sim.log.requests[0].head_at < 0.09


async def test_garbage_in_a_stream_that_goes_on() -> None:
    """One event is no JSON; the text around it is whole."""
    async with quick() as sim:
        usual = text_of(await sim.stream(CHAT, **HELLO))
        answer = await sim.http.post(CHAT, json=HELLO | {"stream": True, "model": "sim-small!garbage@3"})
    lines = [line for line in answer.text.split("\n\n") if line]
    broken = [line for line in lines if not line.endswith(("}", "[DONE]"))]
    assert len(broken) == 1
    assert lines.index(broken[0]) == 4
    assert text_of(events("\n\n".join(line for line in lines if line not in broken))) == usual


async def test_a_stream_without_its_end_marker() -> None:
    """Everything but `[DONE]`, and a proper end of the chunks."""
    async with quick() as sim:
        chunks = await sim.stream(CHAT, **HELLO, model="sim-small!nodone")
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


async def test_an_error_in_the_stream_is_followed_by_the_end_marker() -> None:
    """Exactly as vLLM ends a stream that failed, which is why `[DONE]` proves nothing."""
    async with quick() as sim:
        answer = await sim.http.post(CHAT, json=LONG | {"stream": True, "model": "sim-small!error@3"})
    assert answer.text.count('"delta":{"content":') == 3
    assert answer.text.endswith(
        'data: {"error": {"message": "Internal server error", "type": "InternalServerError", "param": null, '
        '"code": 500}}\n\ndata: [DONE]\n\n'
    )


async def test_an_error_in_other_dialects() -> None:
    """Anthropic's event has its own shape; an answer in one piece becomes a 500."""
    async with quick() as sim:
        body = HELLO | {"max_tokens": 20, "model": "sim-small!error@3"}
        answer = await sim.http.post(MESSAGES, json=body | {"stream": True})
        assert answer.text.endswith(
            'event: error\ndata: {"type":"error","error":{"type":"internal_error",'
            '"message":"Internal server error"}}\n\n'
        )
        answer = await sim.http.post(RESPONSES, json={"input": "Hi", "stream": True, "model": "sim-small!error@3"})
        assert '"code": 500}}\n\n' in answer.text
        assert (await sim.refused(CHAT, **body))[0] == 500


async def test_an_engine_that_gives_up() -> None:
    """The reason is `abort` after so many tokens, streamed or not."""
    async with quick() as sim:
        body = LONG | {"model": "sim-small!abort@5"}
        chunks = await sim.stream(CHAT, **body)
        whole = await sim.post(CHAT, **body)
    assert chunks[-2]["choices"][0]["finish_reason"] == whole["choices"][0]["finish_reason"] == "abort"
    assert whole["usage"]["completion_tokens"] == 5


async def test_a_deaf_sim_leaves_the_body_unread() -> None:
    """What the caller sends stays in the sockets, until it is read after all."""
    async with quick(faults=("deaf=0.3x1",)) as sim:
        _, writer = await asyncio.open_connection("127.0.0.1", sim.sim.port)
        writer.write(b"POST %b HTTP/1.1\r\nhost: x\r\ncontent-length: 90000000\r\n\r\n" % CHAT.encode())
        await until(lambda: bool(sim.sim.log.requests))
        writer.write(b"x" * 60_000_000)
        await asyncio.sleep(0.05)
        assert writer.transport.get_write_buffer_size() > 30_000_000
        writer.transport.abort()
        await until(lambda: sim.sim.log.requests[0].gone_at is not None)


async def test_a_deaf_sim_answers_late_or_never() -> None:
    """A small body that came with its head is not answered either until the time is over."""
    async with quick() as sim:
        sim.sim.faults.add(["deaf"])
        with pytest.raises(httpx2.ReadTimeout):
            await sim.http.post(CHAT, json=HELLO, timeout=0.1)
        await sim.sim.faults.clear()
        sim.sim.faults.add(["deaf=0.1"])
        await sim.post(CHAT, **HELLO)
        seen = sim.sim.log.requests[-1]
        assert (seen.first_byte_at or 0) - seen.head_at >= 0.09


@pytest.mark.parametrize("fault", ["reset", "eof", "reset@2", "eof@2", "cut=event@2"])
async def test_answers_in_one_piece_break_too(fault: str) -> None:
    """Nothing or not all of it comes, and the connection ends."""
    async with quick() as sim:
        with pytest.raises((httpx2.RemoteProtocolError, httpx2.ReadError)):
            await sim.http.post(CHAT, json=LONG | {"model": f"sim-small!{fault}"})
        assert sim.sim.log.requests[0].fault == fault


async def test_a_late_answer_in_one_piece() -> None:
    """A stall that ends delivers the whole of it."""
    async with quick() as sim:
        began = asyncio.get_running_loop().time()
        answer = await sim.post(CHAT, **HELLO, model="sim-small!stall=0.1@1")
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert asyncio.get_running_loop().time() - began >= 0.1


async def test_a_fault_at_a_token_that_never_comes_does_not_happen() -> None:
    """A short answer is whole."""
    async with quick() as sim:
        chunks = await sim.stream(CHAT, **HELLO, max_tokens=5, model="sim-small!reset@50")
        assert chunks[-1] == "[DONE]"
        assert sim.sim.log.requests[0].fault is None


async def test_a_reset_right_after_the_last_token() -> None:
    """All tokens came and the reason too, but not the end marker."""
    async with quick() as sim:
        got, ended = await raw(sim, max_tokens=5, model="sim-small!reset@5")
    assert (deltas(got), ended) == (5, ConnectionResetError)
    assert b'"finish_reason":"length"' in got
    assert b"[DONE]" not in got
