"""The same bytes get the same answers on both lanes, whatever the bytes are."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.gateway import gateway
from tests.waiting import PATIENCE_S
from tests.wire.sims import asked, fast
from vllm_gateway.sim import RunningSim, start

LIMIT_S = 1.0
"""Of heads and bodies: it ends what never comes to its end."""
MOST = 200
AT_ONCE = 25
LAST = b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
BODY = b'{"model":"sim-small","messages":[{"role":"user","content":"Hi"}],"max_tokens":2}'
STREAM = BODY[:-1] + b',"stream":true}'
_TOLD = re.compile(
    rb"HTTP/1\.1 ([2-5]\d\d) |\r\n((?:content-type|connection|transfer-encoding|allow): [^\r]*)"
    rb'|("(?:code|type|finish_reason)":"[^"]*")|("detail")|(data: \[DONE\])|(\r\n0\r\n\r\n)'
)
"""What of an answer says how a request was understood, and how the answer is framed."""

targets = st.sampled_from(
    [b"/v1/chat/completions"] * 6
    + [b"/v1/chat/completions?a=b", b"/v1/messages", b"/v1/models", b"/chat", b"/v1/embeddings", b"/nope", b"*"]
)
methods = st.sampled_from([b"POST"] * 8 + [b"GET", b"OPTIONS", b"HEAD"])
versions = st.sampled_from([b"HTTP/1.1"] * 10 + [b"HTTP/1.0", b"HTTP/2.0"])
harmless = st.sampled_from(
    [
        b"content-type: application/json",
        b"expect: 100-continue",
        b"Connection: keep-alive",
        b"connection: close",
        b"connection: upgrade\r\nupgrade: h2c",
        b"x-request-id: one-of-the-test",
        b"authorization: Bearer nobody-has-this",
        b"origin: http://page.example",
    ]
)
strange = st.sampled_from(
    [
        b"content-type: text/plain",
        b"content-encoding: gzip",
        b"content-length: 5",
        b"host: second",
        b"x: \xff",
        b"x-api-key: a\x00b",
        b"transfer-encoding: identity",
    ]
)
lines = st.lists(st.one_of(harmless, harmless, harmless, harmless, strange), max_size=3)
damaged = st.builds(
    lambda at, byte: BODY[:at] + byte + BODY[at + 1 :], st.integers(0, len(BODY) - 1), st.binary(max_size=2)
)
bodies = st.one_of(
    st.sampled_from([BODY, STREAM]),
    st.sampled_from([BODY, STREAM]),
    st.sampled_from([b"", b"{}", b"[]", b"nonsense", BODY + b" " * 3000, b'{"model":"nobody","messages":[]}']),
    damaged,
)


@st.composite
def requests(draw: st.DrawFn, *, is_whole: bool = False) -> bytes:
    """Draw a request that is mostly a good one; one that is whole ends where it says it does."""
    body = draw(bodies)
    head = b"%b %b %b\r\nhost: x\r\n" % (draw(methods), draw(targets), draw(versions))
    head += b"".join(line + b"\r\n" for line in draw(lines))
    if draw(st.booleans()):
        wrong = 0 if is_whole else draw(st.sampled_from([0, 0, 0, 0, -1, 1]))
        return head + b"content-length: %d\r\n\r\n%b" % (max(0, len(body) + wrong), body)
    size = draw(st.integers(1, len(BODY)))
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    return (
        head
        + b"transfer-encoding: chunked\r\n\r\n"
        + chunks
        + draw(st.sampled_from([b"0\r\n\r\n", b"0\r\nx: y\r\n\r\n"]))
    )


@st.composite
def connections(draw: st.DrawFn) -> Sequence[bytes]:
    """Draw what is sent on a connection at once: some requests, of which a few bytes may be others."""
    sent = b"".join(draw(st.lists(requests(), min_size=1, max_size=3)))
    if draw(st.integers(0, 2)) == 0:
        at = draw(st.integers(0, len(sent) - 1))
        sent = sent[:at] + draw(st.binary(max_size=3)) + sent[at + draw(st.integers(0, 3)) :]
    return [sent + LAST]


@st.composite
def pieces(draw: st.DrawFn) -> Sequence[bytes]:
    """Draw a request that is cut where the network might cut it."""
    sent = draw(requests(is_whole=True))
    cuts = sorted(draw(st.lists(st.integers(1, len(sent) - 1), min_size=1, max_size=4, unique=True)))
    return [sent[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(sent)], strict=True)] + [LAST]


@asynccontextmanager
async def both() -> AsyncIterator[tuple[list[int], list[RunningSim]]]:
    """Run a gateway of each lane, each before a replica of its own; give their ports and the replicas."""
    bounds = {"limits": {"max_body_bytes": 2048}, "timeouts": {"request_head_s": LIMIT_S, "request_body_s": LIMIT_S}}
    ports, sims = [], []
    async with AsyncExitStack() as stack:
        for is_express in (True, False):
            sims.append(await start(fast()))
            stack.push_async_callback(sims[-1].close)
            edge = {"edge": {"express": is_express}, "cors_origins": ("http://page.example",)}
            door = await stack.enter_async_context(gateway(sims[-1].url, **edge, **bounds))
            ports.append(door.port)
        yield ports, sims


async def told(port: int, sent: Sequence[bytes]) -> list[bytes]:
    """Send the pieces, each by itself; return what the answers say."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = b""
    with contextlib.suppress(ConnectionError):
        for piece in sent:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        while data := await asyncio.wait_for(reader.read(65536), PATIENCE_S):
            answer += data
    writer.close()
    return [next(filter(None, match.groups())) for match in _TOLD.finditer(answer)]


def corpus(drawn: st.SearchStrategy[Sequence[bytes]]) -> list[Sequence[bytes]]:
    """Return what is sent on some hundred connections: the same with every run."""
    found: list[Sequence[bytes]] = []

    @settings(max_examples=MOST, derandomize=True, phases=[Phase.generate], database=None)
    @given(drawn)
    def keep(sent: Sequence[bytes]) -> None:
        found.append(sent)

    keep()
    return found


async def differing(all_sent: Sequence[Sequence[bytes]]) -> list[tuple[Sequence[bytes], list[bytes], list[bytes]]]:
    """Return the connections on which the lanes say different things, with what they say; see that replicas agree."""
    async with both() as (ports, sims):
        found = []
        for begin in range(0, len(all_sent), AT_ONCE):
            some = all_sent[begin : begin + AT_ONCE]
            express, asgi = [await asyncio.gather(*(told(port, sent) for sent in some)) for port in ports]
            found += [each for each in zip(some, express, asgi, strict=True) if each[1] != each[2]]
        assert len(asked(sims[0])) == len(asked(sims[1])) > MOST / 10
    return found


async def test_what_comes_at_once_is_understood_alike() -> None:
    """Good and damaged requests, one behind the other: the same statuses, codes and framing, in the same order."""
    assert await differing(corpus(connections())) == []


async def test_what_comes_in_pieces_is_understood_alike() -> None:
    """A request is the same however the network cuts it."""
    assert await differing(corpus(pieces())) == []
