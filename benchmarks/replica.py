"""A replica that costs next to nothing: it has its answers ready and only keeps to the pace that it is asked for.

`POST /v1/chat/completions` gives one JSON, or, with `"stream": true`, `max_tokens` events with `seed` milliseconds
between them (0: as fast as the connection takes them, one write per event); `stream_options` mean what they mean to
vLLM. `/health`, `/v1/models` and `/tokenize` answer too.

    python -m benchmarks.replica --port 8000
"""

import argparse
import asyncio
import gc
from collections import defaultdict
from functools import cache
from typing import Any, cast

import httptools
import uvloop
from typing_extensions import override

from benchmarks import canned
from vllm_gateway import codec
from vllm_gateway.clock import SystemClock

BACKLOG = 4096
DEFAULT_TOKENS = 16

_EVENTS = canned.events()
_COMPLETION = canned.response(canned.completion())
_HEALTHY = canned.response(b"")
_MODELS = canned.response(canned.models())
_TOKENIZED = canned.response(b'{"count":12,"max_model_len":4096,"tokens":[1,2,3,4,5,6,7,8,9,10,11,12]}')
_UNKNOWN = canned.response(b'{"error":{"message":"Not Found","code":404}}', status=b"404 Not Found")
_READY = {b"/health": _HEALTHY, b"/v1/models": _MODELS, b"/tokenize": _TOKENIZED}
_OPENING = canned.stream_head() + canned.chunk(_EVENTS.role)
_TOKEN = canned.chunk(_EVENTS.token)
_LAST = canned.chunk(_EVENTS.last)
_END = canned.chunk(_EVENTS.done) + canned.END_OF_CHUNKS


class Stream:
    """One streamed answer: its head and role event are out, `tokens` events are to come."""

    __slots__ = ("_end", "_is_counted", "_left", "_tokens", "_transport", "gap_ms")

    def __init__(self, transport: asyncio.Transport, *, tokens: int, gap_ms: int, options: dict[str, Any]) -> None:
        self.gap_ms = gap_ms
        self._transport = transport
        self._left = self._tokens = tokens
        has_usage = bool(options.get("include_usage"))
        self._is_counted = has_usage and bool(options.get("continuous_usage_stats"))
        self._end = _usage(tokens) + _END if has_usage else _END
        transport.write(_counted_opening() if self._is_counted else _OPENING)

    def write_next(self) -> bool:
        """Write the next event; return whether one more is to come."""
        if self._transport.is_closing():
            return False
        self._left -= 1
        if self._left > 0:
            self._transport.write(_counted_token(self._tokens - self._left) if self._is_counted else _TOKEN)
            return True
        last = _counted_last(self._tokens) if self._is_counted else _LAST
        self._transport.write(last + self._end)
        return False


class Pace:
    """Lets each stream write its next event when that is due: one timer for all of them, on a grid of milliseconds."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._eager: list[Stream] = []
        self._due: defaultdict[int, list[Stream]] = defaultdict(list)
        self._ticked_ms = 0

    @property
    def is_idle(self) -> bool:
        """Whether nothing is to be written by any stream."""
        return not self._eager and not self._due

    def start(self, stream: Stream) -> None:
        """Keep the pace of this stream to its end."""
        if stream.gap_ms == 0:
            self._eager.append(stream)
            if len(self._eager) == 1:
                self._loop.call_soon(self._write_eager)
            return
        now_ms = _now_ms()
        if not self._due:
            self._ticked_ms = now_ms
            self._loop.call_later(0.001, self._tick)
        self._due[now_ms + stream.gap_ms].append(stream)

    def _write_eager(self) -> None:
        """Write one event per stream and turn of the loop, so that each is a write of its own, as vLLM's are."""
        self._eager = [stream for stream in self._eager if stream.write_next()]
        if self._eager:
            self._loop.call_soon(self._write_eager)

    def _tick(self) -> None:
        now_ms = _now_ms()
        while self._ticked_ms < now_ms:
            self._ticked_ms += 1
            for stream in self._due.pop(self._ticked_ms, ()):
                if stream.write_next():
                    # After a delay a stream goes on from where it should be, but never with two events at once.
                    self._due[max(self._ticked_ms + stream.gap_ms, now_ms + 1)].append(stream)
        if self._due:
            self._loop.call_later(0.001, self._tick)


class Connection(asyncio.Protocol):
    """One connection, kept alive; one request at a time."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._transport: asyncio.Transport
        self._parser = httptools.HttpRequestParser(self)
        self._path = b""
        self._body = b""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # TCP gives no other

    @override
    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.abort()

    def on_url(self, url: bytes) -> None:
        """Take the path."""
        self._path += url

    def on_body(self, data: bytes) -> None:
        """Take a piece of the body."""
        self._body += data

    def on_message_complete(self) -> None:
        """Answer."""
        path, body = self._path, self._body
        self._path = self._body = b""
        if path == b"/v1/chat/completions":
            self._answer(codec.loads(body))
        else:
            self._transport.write(_READY.get(path, _UNKNOWN))

    def _answer(self, asked: dict[str, Any]) -> None:
        if not asked.get("stream"):
            self._transport.write(_COMPLETION)
            return
        self._pace.start(
            Stream(
                self._transport,
                tokens=asked.get("max_completion_tokens") or asked.get("max_tokens") or DEFAULT_TOKENS,
                gap_ms=asked.get("seed") or 0,
                options=asked.get("stream_options") or {},
            )
        )


@cache
def _counted_opening() -> bytes:
    return canned.stream_head() + canned.chunk(canned.counted(0).role)


@cache
def _counted_token(number: int) -> bytes:
    return canned.chunk(canned.counted(number).token)


@cache
def _counted_last(number: int) -> bytes:
    return canned.chunk(canned.counted(number).last)


@cache
def _usage(tokens: int) -> bytes:
    return canned.chunk(canned.usage(tokens))


def _now_ms() -> int:
    return int(SystemClock.now() * 1000)


async def serve(port: int) -> None:
    """Answer on this port for ever."""
    loop = asyncio.get_running_loop()
    pace = Pace(loop)
    server = await loop.create_server(lambda: Connection(pace), "127.0.0.1", port, backlog=BACKLOG)
    gc.disable()  # nothing here makes cycles that matter in a run of minutes
    await server.serve_forever()


def main() -> None:
    """Read the port and serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8000)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
