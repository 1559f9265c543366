"""One try at one replica: listens to a connection, feeds a sink, and gives up when it takes too long."""

import asyncio
import math
from collections.abc import Callable

from vllm_gateway.errors import ReplicaFailed, ReplicaSilent, ReplicaTruncated
from vllm_gateway.exchange import Exchange, Headers, Sink
from vllm_gateway.settings.model import Timeouts
from vllm_gateway.upstream.answers import AnswerOver, AttemptFailed, Form, NewStream, failure, form_of
from vllm_gateway.upstream.connection import Connection, ConnectionFault
from vllm_gateway.upstream.health import Sign
from vllm_gateway.upstream.verdicts import Verdict

_STILL_S = 3.0
"""How long a replica may be silent that is known to stand still."""


class Attempt:
    """What one replica is asked, from the request to the end of its answer."""

    def __init__(
        self,
        exchange: Exchange,
        connection: Connection,
        sink: Sink,
        stream: NewStream,
        *,
        finished: "asyncio.Future[None]",
        timeouts: Timeouts,
        now: float,
        stands_still: Callable[[], bool] = lambda: False,
    ) -> None:
        self.finished = finished
        """Done when the answer was passed on whole; otherwise it raises `AttemptFailed`."""
        self._exchange = exchange
        self._connection = connection
        self._sink = sink
        self._stream = stream
        self._timeouts = timeouts
        self._too_late = exchange.started + timeouts.total_s if timeouts.total_s else math.inf
        self._stands_still = stands_still
        """The replica is out because it makes no tokens at all."""
        self._heard_at = now
        self._has_heard = False
        self._has_begun = False
        self._is_paused = False
        self._is_overdue = False
        self._form: Form | None = None

    # what the connection tells

    def head(self, status: int, headers: Headers) -> None:
        """Take status and headers; nothing of them reaches the caller yet."""
        self._form = form_of(status, headers, self._exchange, self._sink, self._stream)

    def body(self, data: bytes) -> None:
        """Take what one read of the socket brought."""
        self._has_heard = True
        if self._form is None:
            return
        try:
            self._form.feed(data)
        except AttemptFailed as failed:
            self._connection.close()
            self._give_up(failed)
        except AnswerOver:
            self._connection.close()
            self.done()

    def done(self) -> None:
        """Complete the reply, if the answer was whole."""
        try:
            if self._form is not None:
                self._form.end()
        except AttemptFailed as failed:
            self._give_up(failed)
        else:
            self._succeed()

    def failed(self, fault: ConnectionFault) -> None:
        """Give up, unless all had been said."""
        if self._form is not None and self._form.has_said_all():
            self.done()
        elif self._form is None:
            error = ReplicaFailed("The model server closed the connection without an answer.")
            verdict = Verdict(error, is_retryable=True, sign=Sign.FAILED)
            self._give_up(AttemptFailed(verdict, is_stale=fault.is_stale), is_broken=not fault.is_stale)
        else:
            truncated = ReplicaTruncated("The model server's answer broke off before its end.")
            self._give_up(failure(truncated), is_broken=True)

    # what the sink asks

    def pause(self) -> None:
        """Stop reading from the replica."""
        self._is_paused = True
        self._connection.pause()

    def resume(self) -> None:
        """Go on reading from the replica."""
        self._is_paused = False
        self._connection.resume()

    # what the clock asks

    def check(self, now: float) -> None:
        """Give up when it is too late: in all, or, for a stream, since something was last heard."""
        if self._has_heard or self._is_paused:
            self._has_begun = self._has_begun or self._has_heard
            self._has_heard = False
            self._heard_at = now
            if now < self._too_late:
                return  # as nearly all do: there are a thousand to be looked at
        limits = self._timeouts
        if now >= self._too_late:
            if self._is_overdue:
                self._sink.drop()  # the end was told at the last look, and the caller does not take it
            self._is_overdue = True
            sentence = f"The model server took longer than {limits.total_s:g} s."
            self._expire(Verdict(ReplicaSilent(sentence), sign=Sign.FAILED))
        elif limits.write_s and self._connection.is_still_sending and now - self._heard_at >= limits.write_s:
            sentence = f"The model server did not take the request within {limits.write_s:g} s."
            self._expire(Verdict(ReplicaSilent(sentence), is_retryable=True, sign=Sign.FAILED))
        elif now - self._heard_at >= _STILL_S and self._stands_still():
            sentence = "The model server stands still: it answers nobody."
            self._expire(Verdict(ReplicaSilent(sentence), is_retryable=True, sign=Sign.FAILED))
        elif self._exchange.asked is not None and self._exchange.asked.stream:
            silence_s = limits.idle_s if self._has_begun and self._has_delivered() else limits.first_token_s
            if silence_s and now - self._heard_at >= silence_s:
                sentence = f"The model server was silent for {silence_s:g} s."
                self._expire(Verdict(ReplicaSilent(sentence), is_retryable=True, sign=Sign.FAILED))

    def _expire(self, verdict: Verdict) -> None:
        self._connection.close()
        self._give_up(AttemptFailed(verdict))

    def _has_delivered(self) -> bool:
        return self._form is not None and self._form.has_delivered

    def _succeed(self) -> None:
        if not self.finished.done():
            self.finished.set_result(None)

    def _give_up(self, failed: AttemptFailed, *, is_broken: bool = False) -> None:
        """Fail; another replica can only go on from what has reached the caller."""
        failed.is_broken = is_broken
        if self._form is not None:
            failed.has_delivered, failed.stream = self._form.has_delivered, self._form.stream
        if not self.finished.done():
            self.finished.set_exception(failed)
