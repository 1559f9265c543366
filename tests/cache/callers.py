"""Callers who take what they get, or take their time."""

from typing_extensions import override

from tests.upstream.test_answers import Notes, chat
from vllm_gateway.cache.flight import Flight, Form, Seat
from vllm_gateway.cache.room import Room
from vllm_gateway.cache.telling import Mark
from vllm_gateway.exchange import Exchange, Flow, Headers

HEAD: Headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"x-request-id", b"first")]
STREAM = Form(is_stream=True, tells_usage=False)


class Slow(Notes):
    """A caller who takes a number of bytes, and then nothing until it is told to."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most
        self._flow: Flow | None = None

    @override
    def feed_from(self, flow: Flow | None) -> None:
        """Remember who is to wait."""
        self._flow = flow

    @override
    def write(self, data: bytes) -> None:
        """Take a part; that may be enough for now."""
        super().write(data)
        if len(self.written) >= self._most and self._flow is not None:
            self._flow.pause()

    def take(self, more: int) -> None:
        """Take more."""
        self._most = len(self.written) + more
        if self._flow is not None:
            self._flow.resume()


class Replica:
    """What feeds a flight."""

    def __init__(self) -> None:
        self.is_paused = False
        self.pauses = 0

    def pause(self) -> None:
        """Wait."""
        self.is_paused = True
        self.pauses += 1

    def resume(self) -> None:
        """Go on."""
        self.is_paused = False


def flight(*, max_bytes: int = 1_000, form: Form = STREAM, room: Room | None = None) -> Flight:
    """Return a flight that nobody has boarded."""
    return Flight(chat(), form, max_bytes=max_bytes, room=room or Room(10**9))


def board(one: Flight, sink: Notes, form: Form | None = STREAM, mark: Mark = Mark.HIT) -> tuple[Seat, Exchange]:
    """Take a caller on, as the pipeline does."""
    exchange = chat()
    exchange.id = f"caller-{id(sink)}"
    seat = one.board(exchange, sink, form, mark=mark)
    return seat, exchange


def begin(one: Flight, status: int = 200) -> None:
    """Write the head, as an answer does."""
    one.exchange.status = status
    one.exchange.is_event_stream = status == 200
    one.start(status, HEAD)
