"""The two forms of an answer, a stream of events and one piece, and how each reaches the caller.

Until something of the answer has reached the caller, a failure is no more than a reason to ask another replica. So the
head of a reply waits: that of a stream for the first whole event, that of an answer in one piece for its end.
"""

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Protocol

from vllm_gateway import codec
from vllm_gateway.errors import ContentRefused, ReplicaFailed, ReplicaTruncated
from vllm_gateway.exchange import Exchange, Headers, Recovery, Sink, Watch
from vllm_gateway.upstream.health import Sign
from vllm_gateway.upstream.kin import Kin
from vllm_gateway.upstream.verdicts import (
    KEY_STATUSES,
    MAX_ERROR_BYTES,
    Verdict,
    callers_key_refused,
    judge,
    judge_event,
)

_OK = int(HTTPStatus.OK)  # looking the member up takes longer than comparing
HOLD_BYTES = 1024 * 1024
"""An answer in one piece is held back up to this size, so that a replica that dies meanwhile can be replaced."""

STREAM_HEADERS: Headers = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),  # asks an nginx in front not to hold events back
]


class Stream:
    """One streamed answer, over all the replicas that it comes from."""

    def __init__(self, watch: Watch, recovery: Recovery | None = None, kin: Kin | None = None) -> None:
        self.watch = watch
        self.recovery = recovery
        """Knows how it can go on from another replica; None: it cannot."""
        self.kin = kin
        """What was known of the first replica when it began."""
        self.feed: Callable[[bytes], bytes] = watch.feed if recovery is None else partial(_feed, recovery, watch)
        """Takes what was read; returns the whole events that may leave now."""

    def events_so_far(self) -> int | None:
        """Return how many events have been told, where they are kept."""
        return self.recovery.events if self.recovery is not None else None


def _feed(recovery: Recovery, watch: Watch, data: bytes) -> bytes:
    return watch.feed(recovery.feed(data))


NewStream = Callable[[], Stream]
"""Makes a stream for a first replica, or gives the one that is to go on."""


class AttemptFailed(Exception):
    """A try that came to nothing."""

    def __init__(self, verdict: Verdict, *, is_stale: bool = False, status: int = 0, body: bytes = b"") -> None:
        super().__init__(str(verdict.error))
        self.verdict = verdict
        self.is_stale = is_stale
        """The replica had closed the reused connection; it never saw the request."""
        self.status = status
        self.body = body
        """The replica's own words, for a verdict that lets them pass."""
        self.has_delivered = False
        """Something of the answer had reached the caller."""
        self.stream: Stream | None = None
        """What was streamed up to here."""
        self.lasted_s = 0.0
        """How long the replica had been at it."""
        self.is_broken = False
        """The connection was lost while the replica was at work: it may have died of it."""


class AnswerOver(Exception):
    """The answer is whole, although its replica may go on talking."""


class Form(Protocol):
    """One form of an answer; `feed` and `end` raise `AttemptFailed`, and `feed` may raise `AnswerOver`."""

    @property
    def has_delivered(self) -> bool:
        """Something of the answer has reached the caller."""
        ...

    @property
    def stream(self) -> Stream | None:
        """What is streamed; None where it is no stream."""
        ...

    def feed(self, data: bytes) -> None:
        """Take what one read of the socket brought."""
        ...

    def end(self) -> None:
        """Take the end, and complete the reply if the answer was whole."""
        ...

    def has_said_all(self) -> bool:
        """Say whether the answer was complete even without its proper end."""
        ...


def form_of(status: int, headers: Headers, exchange: Exchange, sink: Sink, stream: NewStream) -> Form:
    """Return the form that an answer with this head has.

    A compressed one, which nobody asked for, is an error, and so is a page for people: what stands before a replica
    that is away may say 200 with it.
    """
    is_plain = header(headers, b"content-encoding") in {b"", b"identity"}
    if status == _OK and is_plain and exchange.asked is not None:
        kind = header(headers, b"content-type").lower()
        if kind.startswith(b"text/event-stream"):
            return EventStream(exchange, sink, stream())
        if not kind.startswith(b"text/"):
            return OnePiece(headers, exchange, sink)
    return ErrorAnswer(status, headers, exchange)


def header(headers: Headers, name: bytes) -> bytes:
    """Return the first value of a header, or nothing."""
    for each, value in headers:
        if each == name:
            return value
    return b""


def failure(error: ReplicaFailed | ReplicaTruncated) -> AttemptFailed:
    """Return the failure of a replica that another one may make good."""
    return AttemptFailed(Verdict(error, is_retryable=True, sign=Sign.FAILED))


class EventStream:
    """Events leave as they come, whole and watched."""

    def __init__(self, exchange: Exchange, sink: Sink, stream: Stream) -> None:
        self._exchange = exchange
        self._sink = sink
        self.stream = stream
        self._feed = stream.feed
        self._write = sink.write
        self._watch = stream.watch
        self._has_begun = False

    @property
    def has_delivered(self) -> bool:
        """An event other than a comment has left, be it from this replica or from one before it."""
        return self._watch.has_data

    def feed(self, data: bytes) -> None:
        """Pass on the events that are whole; stop at the first that tells of an error."""
        try:
            events = self._feed(data)
        except ReplicaFailed as error:
            raise failure(error) from None
        except (ContentRefused, ReplicaTruncated) as final:  # another replica would not do better
            raise AttemptFailed(Verdict(final)) from None
        if events:
            if not self._has_begun:
                self._begin()
            self._write(events)
        failed = self._watch.error
        if failed is not None:
            raise AttemptFailed(judge_event(failed))
        if self.stream.recovery is not None and self.stream.recovery.is_over:
            raise AnswerOver

    def end(self) -> None:
        """Complete the stream, unless it broke off."""
        if not self._watch.is_complete() or not self._exchange.is_event_stream:
            raise failure(ReplicaTruncated("The model server's answer broke off before its end."))
        self._exchange.usage = self._watch.usage
        if ending := self._watch.ending():
            self._sink.write(ending)
        self._sink.end()

    def has_said_all(self) -> bool:
        """Say whether the last event was seen."""
        return self._watch.is_complete() and not self._watch.ending()

    def _begin(self) -> None:
        """Begin the reply, unless that is done; comments are no beginning of the answer."""
        exchange = self._exchange
        exchange.watch = self._watch
        if not exchange.is_event_stream:
            start_stream(exchange, self._sink)
        if self._watch.has_data:
            self._has_begun = True
            exchange.events_so_far = self.stream.events_so_far
            if exchange.trail.first_token_at is None:
                exchange.trail.first_token_at = exchange.trail.now()


class OnePiece:
    """A JSON answer leaves when it is complete, or from `HOLD_BYTES` on as it comes."""

    stream = None

    def __init__(self, headers: Headers, exchange: Exchange, sink: Sink) -> None:
        self.has_delivered = False
        self._headers = headers
        self._exchange = exchange
        self._sink = sink
        self._held: list[bytes] = []
        self._held_bytes = 0

    def feed(self, data: bytes) -> None:
        """Hold the answer back while it is small."""
        if self.has_delivered:
            self._sink.write(data)
            return
        self._held.append(data)
        self._held_bytes += len(data)
        if self._held_bytes > HOLD_BYTES:
            length = header(self._headers, b"content-length")
            self._begin([(b"content-length", length)] if length else [])

    def end(self) -> None:
        """Complete the reply."""
        if not self.has_delivered:
            if not self._is_whole():
                raise failure(ReplicaTruncated("The model server's answer broke off before its end."))
            self._begin([(b"content-length", b"%d" % self._held_bytes)])
        self._sink.end()

    def has_said_all(self) -> bool:
        """Return False: only its end tells that it is complete."""
        return False

    def _is_whole(self) -> bool:
        """Say whether this is an answer; one without a length may have been cut anywhere, so JSON has to prove it."""
        if header(self._headers, b"content-length") or header(self._headers, b"transfer-encoding"):
            return self._held_bytes > 0
        try:
            codec.loads(b"".join(self._held))
        except codec.MalformedJson:
            return False
        return True

    def _begin(self, length: Headers) -> None:
        if self._sink.is_started:  # an earlier attempt began a stream; an answer in one piece cannot follow
            raise failure(ReplicaFailed("The model server did not answer with a stream."))
        body = b"".join(self._held)
        self._held.clear()
        self.has_delivered = True
        self._exchange.usage = self._exchange.operation.dialect.usage(body)
        kind = header(self._headers, b"content-type") or b"application/json"
        start(self._exchange, self._sink, _OK, [(b"content-type", kind), *length])
        self._sink.write(body)


class ErrorAnswer:
    """An answer other than 200: read as far as an error can reasonably go, and judged."""

    has_delivered = False
    stream = None

    def __init__(self, status: int, headers: Headers, exchange: Exchange) -> None:
        self._status = status
        self._headers = headers
        self._operation = exchange.operation
        self._path = exchange.asked.path if exchange.asked is not None else None
        self._has_callers_key = bool(exchange.caller.upstream_key)
        self._body = bytearray()

    def feed(self, data: bytes) -> None:
        """Keep it, as long as it has a reasonable size."""
        self._body += data
        if len(self._body) > MAX_ERROR_BYTES:
            self._body.clear()
            self.end()

    def end(self) -> None:
        """Give the verdict."""
        body = bytes(self._body)
        if self._has_callers_key and self._status in KEY_STATUSES:
            raise AttemptFailed(callers_key_refused())
        verdict = judge(self._status, self._headers, body, self._operation, path=self._path)
        raise AttemptFailed(verdict, status=self._status, body=body)

    def has_said_all(self) -> bool:
        """Return False: the verdict is given at the end."""
        return False


def start(exchange: Exchange, sink: Sink, status: int, headers: Headers) -> None:
    """Begin the reply."""
    exchange.status = status
    sink.start(status, exchange.operation.dialect.reply_headers(exchange.id) + exchange.told + headers)


def start_stream(exchange: Exchange, sink: Sink) -> None:
    """Begin the reply as a stream of events."""
    exchange.is_event_stream = True
    start(exchange, sink, HTTPStatus.OK, STREAM_HEADERS)
