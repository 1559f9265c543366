"""One answer under way, and all the callers who wait for it.

The answer is written into the flight, and the flight keeps it as long as it may have to be given to somebody: to a
caller who comes later, to one who is slow, to the store. Each caller has a seat. A seat passes on what there is as fast
as its caller takes it, so nobody waits for anybody else.

Memory is bounded. A flight that has grown larger than what may be kept takes nobody on any more, and forgets what all
have got. When the slowest is that far behind the others, it is dropped; when all of them are, the replica waits.
"""

import asyncio
from dataclasses import replace
from http import HTTPStatus
from typing import NamedTuple, TypeVar

from vllm_gateway.cache.kept import Kept
from vllm_gateway.cache.room import Room
from vllm_gateway.cache.telling import Mark, marked
from vllm_gateway.errors import Failure, ReplicaTruncated
from vllm_gateway.exchange import Exchange, Flow, Headers, Sink

T = TypeVar("T")

_OF_THE_ANSWER = frozenset(
    {b"content-type", b"content-length", b"cache-control", b"x-accel-buffering", b"retry-after", b"retry-after-ms"}
)
"""The headers that belong to an answer; the others were meant for the caller who asked first."""
_TAKEN_OVER = ("watch", "usage", "replica", "resumed", "attempts", "asked", "limits")
"""What the caller who asked first is to know of what was done for it."""
LEAST_BYTES = 64 * 1024
"""So much of an answer may be held even where there is no room left for all of them."""
_TOO_SLOW = "The answer was not taken in time."
_BROKE_OFF = "The model server's answer broke off before its end."


class Form(NamedTuple):
    """What must be the same for two callers to share an answer byte for byte."""

    is_stream: bool
    tells_usage: bool
    """It is a stream that ends with its usage."""


class Flight:
    """The sink of one answer that several callers get."""

    is_gone = False

    def __init__(
        self,
        exchange: Exchange,
        form: Form,
        *,
        max_bytes: int,
        room: Room,
        fingerprint: bytes = b"",
        head: Headers | None = None,
    ) -> None:
        """Begin with `head` where the caller's reply has begun already: then it is the head of a stream."""
        self.exchange = replace(exchange)
        """Of its own: it goes on when the caller who began it has left."""
        self.form = form
        self.fingerprint = fingerprint
        self.head = head
        self.is_joinable = True
        """A caller who comes now gets everything from the first byte on."""
        self.is_over = False
        self.failure: Exception | None = None
        self.kept: Kept | None = None
        """The whole answer, when it may be given again."""
        self.parts: list[bytes] = []
        self.forgotten = 0
        """How many parts came before those."""
        self._size = 0
        self._max_bytes = max_bytes
        self._room = room
        self._is_boarded = False
        self._seats: list[Seat] = []
        self._flow: Flow | None = None
        self._is_paused = False
        self._task: asyncio.Task[None] | None = None

    # as a sink

    @property
    def is_started(self) -> bool:
        """The head was written, or the caller who asked first has one already: a stream that says it is alive."""
        return self.head is not None or any(seat.is_first and seat.is_started for seat in self._seats)

    @property
    def is_answer(self) -> bool:
        """It is what was asked for, and not a refusal in the replica's words."""
        return self.head is not None and self.exchange.status == HTTPStatus.OK

    @property
    def can_be_joined(self) -> bool:
        """A caller who comes now would get the answer."""
        return self.is_joinable and (not self.is_over or self.kept is not None)

    @property
    def body(self) -> bytes:
        """All that was written; not to be asked for when it is no longer joinable."""
        return b"".join(self.parts)

    def feed_from(self, flow: Flow | None) -> None:
        """Name the flow that is to wait when all callers are slow."""
        self._flow = flow
        self._is_paused = False

    def start(self, status: int, headers: Headers) -> None:  # noqa: ARG002 - the status is on the exchange as well
        """Take the head."""
        self.head = [(name, value) for name, value in headers if name in _OF_THE_ANSWER]
        for seat in self._seats:
            seat.go_on()

    def write(self, data: bytes) -> None:
        """Take a part, and pass it on."""
        if data[:1] == b":" and self.exchange.is_event_stream and b"data:" not in data:  # a comment is of this moment
            for seat in self._seats:
                seat.whisper(data)
            return
        self.parts.append(data)
        self._take(len(data))
        for seat in self._seats:
            seat.go_on()
        if self._size > self._most:
            self._outgrow()

    def end(self) -> None:
        """Do nothing yet: the end is `land`."""

    def cut(self) -> None:
        """Do nothing: whoever cuts raises as well."""

    def drop(self) -> None:
        """Drop those who do not take what there is."""
        for seat in [each for each in self._seats if each.is_behind]:
            seat.drop()

    async def until(self, done: "asyncio.Future[T]") -> T:
        """Wait for `done`; each caller's own task writes what it gets."""
        return await done

    # as a flight

    def board(self, exchange: Exchange, sink: Sink, form: Form | None, *, mark: Mark) -> "Seat":
        """Take a caller on; in another form than the flight's, or in none, it only waits for the end."""
        seat = Seat(self, exchange, sink, is_live=form == self.form, is_first=not self._is_boarded, mark=mark)
        self._is_boarded = True
        self._seats.append(seat)
        seat.go_on()
        return seat

    def leave(self, seat: "Seat") -> None:
        """Let a caller go; with the last one the flight ends."""
        if seat in self._seats:
            self._seats.remove(seat)
        if self.is_over:
            self._give_back()
        elif not self._seats:
            self.is_joinable = False
            if self._task is not None:
                self._task.cancel()
        elif self.forgotten or self._is_paused:
            self.ease()

    def begin(self, task: "asyncio.Task[None]") -> None:
        """Name the task that runs it."""
        self._task = self.exchange.task = task

    def land(self, failure: Exception | None, kept: Kept | None = None) -> None:
        """Come to the end, with everything that was written or with a failure."""
        if self.is_over:
            return
        self.is_over, self.failure, self.kept = True, failure, kept
        self.exchange.task = None
        for seat in list(self._seats):
            seat.go_on()
        self._give_back()

    def ease(self) -> None:
        """Forget what everybody has; let the replica go on when that makes room."""
        if not self.is_joinable:
            self._forget()
        if self._is_paused and self._size <= self._most and self._flow is not None:
            self._is_paused = False
            self._flow.resume()

    def _outgrow(self) -> None:
        """Make do with less memory than the answer takes."""
        if self.is_joinable:
            self.is_joinable = False
            for seat in self._seats:
                seat.give_up_waiting()
        self._forget()
        if self._size <= self._most:
            return
        slow = [seat for seat in self._seats if seat.is_behind]
        if len(slow) < sum(seat.is_live for seat in self._seats):
            for seat in slow:
                seat.drop()
            self._forget()
        elif self._flow is not None and not self._is_paused:
            self._is_paused = True
            self._flow.pause()

    def _forget(self) -> None:
        end = self.forgotten + len(self.parts)
        least = min((seat.at for seat in self._seats if seat.is_live), default=end)
        gone = self.parts[: least - self.forgotten]
        if gone:
            del self.parts[: len(gone)]
            self.forgotten = least
            self._take(-sum(map(len, gone)))

    @property
    def _most(self) -> int:
        """How much it may hold now."""
        return min(self._max_bytes, LEAST_BYTES) if self._room.is_full else self._max_bytes

    def _take(self, size_bytes: int) -> None:
        self._size += size_bytes
        self._room.size_bytes += size_bytes

    def _give_back(self) -> None:
        """Take no room any more when nobody is left to be given anything."""
        if not self._seats:
            self._take(-self._size)


class Seat:
    """One caller's place in a flight."""

    def __init__(
        self, flight: Flight, exchange: Exchange, sink: Sink, *, is_live: bool, is_first: bool, mark: Mark
    ) -> None:
        self.is_live = is_live
        self.is_first = is_first
        self.flight = flight
        self.mark = mark
        self.at = 0
        """The next part that it gets."""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when there is nothing more to wait for."""
        self.is_answered = False
        """The whole answer was written to its caller."""
        self._exchange = exchange
        self._sink = sink
        self._is_begun = False
        self._is_paused = False
        if is_live:
            sink.feed_from(self)

    @property
    def is_started(self) -> bool:
        """Its caller has the head of a reply."""
        return self._sink.is_started

    @property
    def is_behind(self) -> bool:
        """Its caller does not take what there is."""
        return self.is_live and self._is_paused

    @property
    def has_passed(self) -> bool:
        """Something of the answer was written to its caller."""
        return self.at > 0

    def pause(self) -> None:
        """Keep what comes back: the caller is slow."""
        self._is_paused = True

    def resume(self) -> None:
        """Catch up."""
        self._is_paused = False
        self.go_on()
        if not self.flight.is_over:
            self.flight.ease()

    def go_on(self) -> None:
        """Pass on what there is, as far as the caller takes it."""
        flight = self.flight
        if self.is_live and flight.head is not None and (self.is_first or flight.is_answer):
            if not self._is_begun:
                self._begin(flight.head)
            end = flight.forgotten + len(flight.parts)
            while self.at < end and not self._is_paused:
                part = flight.parts[self.at - flight.forgotten]
                self.at += 1
                self._sink.write(part)
            if self.at < end and flight.failure is None:
                return
        if flight.is_over and not self.done.done():
            self._finish()

    def whisper(self, comment: bytes) -> None:
        """Pass on that somebody is there."""
        if self._is_begun and not self._is_paused:
            self._sink.write(comment)

    def give_up_waiting(self) -> None:
        """Wait no longer for an answer that cannot be kept."""
        if not self.is_live and not self.done.done():
            self.done.set_result(None)

    def drop(self) -> None:
        """Close the caller's connection."""
        self.flight.leave(self)
        self.is_live = False  # what it has not got may be forgotten from now on
        self._sink.drop()
        if not self.done.done():
            self.done.set_exception(ReplicaTruncated(_TOO_SLOW))

    def leave(self) -> None:
        """Wait no longer, for whatever reason."""
        self.flight.leave(self)
        self.is_live = False
        self._sink.feed_from(None)
        if self.is_first:
            self.take_over()
        if self.done.done() and not self.done.cancelled():
            self.done.exception()  # a caller who left did not wait for it; asyncio would complain

    def take_over(self) -> None:
        """Note on the caller's exchange what was done for it."""
        exchange, flown = self._exchange, self.flight.exchange
        for name in _TAKEN_OVER:
            setattr(exchange, name, getattr(flown, name))
        self._take_over_head()
        was_asked = flown.attempts > 0 or self._is_begun
        exchange.told = marked(flown.told, self.mark if was_asked else Mark.NONE)

    def _take_over_head(self) -> None:
        """Note how the reply begins; it may have begun already, as a stream that says that somebody is there."""
        exchange, flown = self._exchange, self.flight.exchange
        exchange.status = flown.status or exchange.status
        exchange.is_event_stream = exchange.is_event_stream or flown.is_event_stream

    def _begin(self, head: Headers) -> None:
        self._is_begun = True
        exchange, flown = self._exchange, self.flight.exchange
        if self.is_first:
            self.take_over()
        else:
            self._take_over_head()
            exchange.watch = flown.watch
            exchange.told = marked(exchange.told, self.mark, age_s=0)
        if not self._sink.is_started:
            named = exchange.operation.dialect.reply_headers(exchange.id)
            self._sink.start(flown.status, named + exchange.told + head)

    def _finish(self) -> None:
        flight = self.flight
        if flight.failure is not None:
            self.done.set_exception(flight.failure if self.is_first else _for_others(flight.failure))
            return
        if self._is_begun:
            self.is_answered = True
            self._exchange.usage = flight.exchange.usage
            self._sink.end()
        self.done.set_result(None)


def _for_others(failure: Exception) -> Exception:
    """Return what those are told who only joined: the affairs of the caller who asked first are not theirs."""
    return failure if isinstance(failure, Failure) else ReplicaTruncated(_BROKE_OFF)
