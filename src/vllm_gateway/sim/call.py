"""One request being answered, as the routes see it: read it, then reply, or open, send and end."""

import asyncio
from http import HTTPStatus
from typing import Protocol

from vllm_gateway.sim.journal import RequestSeen

JSON = b"application/json"
STATUS_LINES = {status.value: b"HTTP/1.1 %d %s\r\n" % (status.value, status.phrase.encode()) for status in HTTPStatus}


class Line(Protocol):
    """The connection under a call, as far as calls and faults need it."""

    def now(self) -> float:
        """Return the clock's time."""
        ...

    def common_lines(self) -> bytes:
        """Return the header lines that every answer begins with."""
        ...

    def write(self, data: bytes) -> None:
        """Send bytes as they are."""
        ...

    def call_ended(self, call: "Call") -> None:
        """Go on with the next request."""
        ...

    def close(self, by: str) -> None:
        """Close after what was written has been sent (a FIN)."""
        ...

    def reset(self) -> None:
        """Close at once, so that the caller sees a reset (an RST)."""
        ...

    def stop_reading(self, seconds: float | None) -> None:
        """Leave what the caller sends in its socket, for so long or for ever."""
        ...


class Work(Protocol):
    """What is being done for a call."""

    def stop(self) -> None:
        """Stop at once: nobody waits for it any more."""
        ...

    def failed(self, message: str) -> None:
        """Say that it failed, in the way of an answer that has begun."""
        ...


class Script(Protocol):
    """What goes wrong with a call; each method tells whether to go on as usual."""

    @property
    def delay_s(self) -> float:
        """How much later the first token comes."""
        ...

    @property
    def abort_at(self) -> int | None:
        """After how many tokens the engine gives up; None for never."""
        ...

    def before_reply(self, call: "Call", answer: bytes) -> bool:
        """Look at a whole answer, head and body."""
        ...

    def before_send(self, call: "Call", piece: bytes, tokens: int) -> bool:
        """Look at a piece of an answer."""
        ...


class Call:
    """One request being answered: read it, then `reply`, or `open`, `send` and `end`."""

    __slots__ = (
        "_held",
        "_pulse",
        "connection",
        "headers_out",
        "is_chunked",
        "is_ended",
        "keep_alive",
        "script",
        "seen",
        "work",
    )

    def __init__(self, connection: Line, seen: RequestSeen, *, keep_alive: bool, is_chunked: bool) -> None:
        self.connection = connection
        self.seen = seen
        self.keep_alive = keep_alive
        self.is_chunked = is_chunked
        self.is_ended = False
        self.headers_out: list[bytes] = []
        self.work: Work | None = None
        self.script: Script | None = None
        self._held: list[bytes] | None = None
        self._pulse: Pulse | None = None

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.seen.target.partition("?")[0]

    def reply(self, status: int, body: bytes = b"", content_type: bytes | None = JSON) -> None:
        """Send a whole answer."""
        lines = [b"content-length: %d\r\n" % len(body)]
        if content_type is not None:
            lines.append(b"content-type: %b\r\n" % content_type)
        answer = self._head(status, lines) + (b"" if self.seen.method == "HEAD" else body)
        if self.script is None or self.script.before_reply(self, answer):
            self.resume(answer)

    def resume(self, answer: bytes) -> None:
        """Send a whole answer that was made before."""
        self.seen.first_byte_at = self.connection.now()
        self.connection.write(answer)
        self.drop()

    def open(self, content_type: bytes = b"text/event-stream; charset=utf-8") -> None:
        """Send the head of an answer that comes in pieces."""
        lines = [b"content-type: %b\r\n" % content_type]
        if self.is_chunked:
            lines.append(b"transfer-encoding: chunked\r\n")
        else:
            self.keep_alive = False
        head = self._head(HTTPStatus.OK, lines)
        self.seen.first_byte_at = self.connection.now()
        self.connection.write(head)

    def send(self, piece: bytes, *, tokens: int = 0) -> None:
        """Send one piece, which tells so many tokens, in one write."""
        if self.is_ended or (self.script is not None and not self.script.before_send(self, piece, tokens)):
            return
        if self._pulse is not None:
            self._pulse.felt()
        data = b"%x\r\n%b\r\n" % (len(piece), piece) if self.is_chunked else piece
        if self._held is None:
            self.connection.write(data)
        else:
            self._held.append(data)

    def end(self) -> None:
        """Say that nothing more comes."""
        if self.is_ended:
            return
        last = b"0\r\n\r\n" if self.is_chunked else b""
        if self._held is None:
            self.connection.write(last)
            self.drop()
        else:
            self._held.extend((last, b""))

    def pulse_every(self, seconds: float) -> None:
        """Send a comment whenever nothing was sent for so long, so that nobody takes silence for death; 0 for never."""
        if seconds > 0:
            self._pulse = Pulse(self, seconds)

    def hold(self, seconds: float) -> None:
        """Keep back what is sent from now on, and send it after so long; nothing, at its end, stands for the end."""
        self._held = []
        asyncio.get_running_loop().call_later(seconds, self._release)

    def mute(self) -> None:
        """Send nothing more."""
        self.is_ended = True
        if self._pulse is not None:
            self._pulse.stop()

    def drop(self) -> None:
        """Take no further notice of this call."""
        if not self.is_ended:
            self.mute()
            self.connection.call_ended(self)

    def _release(self) -> None:
        held, self._held = self._held or [], None
        self.connection.write(b"".join(held))
        if held and not held[-1]:
            self.drop()

    def _head(self, status: int, lines: list[bytes]) -> bytes:
        self.seen.status = status
        first = STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status
        last = b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n"
        return b"".join((first, self.connection.common_lines(), *lines, *self.headers_out, last))


class Pulse:
    """Sends a comment on a stream whenever it has been silent for a time."""

    def __init__(self, call: Call, every_s: float) -> None:
        self._call = call
        self._every_s = every_s
        self._loop = asyncio.get_running_loop()
        self._last = self._loop.time()
        self._timer = self._loop.call_later(every_s, self._beat)

    def felt(self) -> None:
        """Note that something was sent."""
        self._last = self._loop.time()

    def stop(self) -> None:
        """Send no more."""
        self._timer.cancel()

    def _beat(self) -> None:
        silent_s = self._loop.time() - self._last
        if silent_s >= self._every_s:
            self._call.send(b": keep-alive\n\n")
            silent_s = 0.0
        self._timer = self._loop.call_later(self._every_s - silent_s, self._beat)
