"""Answers that are given again: out of what was kept, or together with a caller who asks the same at this moment."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from vllm_gateway import codec
from vllm_gateway.admission.rules.outgoing import Outgoing
from vllm_gateway.cache.bypass import BypassSink
from vllm_gateway.cache.claims import Claim
from vllm_gateway.cache.flight import Flight, Form, Seat
from vllm_gateway.cache.flights import Course, Flights
from vllm_gateway.cache.kept import Kept
from vllm_gateway.cache.keys import answer_key, fingerprint, is_deterministic, once_key
from vllm_gateway.cache.shelf import Shelf
from vllm_gateway.cache.telling import Mark
from vllm_gateway.cache.wishes import Wishes, wishes_in
from vllm_gateway.clock import Clock
from vllm_gateway.dialects.replayed import is_complete, is_settled
from vllm_gateway.errors import Failure, GatewayError, IdempotencyConflict
from vllm_gateway.exchange import Asked, Exchange, Sink
from vllm_gateway.pipeline.embedding import Embedding, Query, is_embedding
from vllm_gateway.pipeline.replaying import Bill, Relay, billed, form_of, give, in_form, kept_of
from vllm_gateway.upstream.answers import STREAM_HEADERS

_KEPT = frozenset({"/v1/chat/completions", "/v1/completions"})
"""The routes whose answers are kept whole."""
_ONCE = _KEPT | {"/v1/messages"}
"""The routes that take an idempotency key."""
_NAMED = frozenset({b"idempotency-key"})
_TRIES = 2
"""How often a caller waits for an answer that another one asked for, before it asks by itself."""
_LOOK_EVERY_S = 0.1
"""How often is looked whether another process has come to its end."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an answer may be found, and is to be kept."""

    shelf: Shelf
    key: bytes
    fits: Callable[[bytes], bool]
    """Says whether a whole answer is one to keep."""
    reads: bool = True
    fingerprint: bytes = b""
    """Of the request, where its name alone does not say what it is."""


@dataclass(frozen=True, slots=True)
class _Case:
    """One request that may be answered so."""

    exchange: Exchange
    asked: Asked
    sink: Sink
    relay: Relay
    bill: Bill | None
    form: Form
    places: tuple[_Place, ...]

    @property
    def first(self) -> _Place:
        """The place by which callers who ask the same find each other."""
        return self.places[0]


class Caching:
    """Answers from what is kept; has a replica asked where nothing is, and keeps what it says."""

    def __init__(
        self,
        *,
        answers: Shelf | None,
        once: Shelf,
        outgoing: Outgoing,
        clock: Clock,
        max_bytes: int,
        any_temperature: bool = False,
        screen: str = "",
    ) -> None:
        """Answer from these places.

        Answers under way hold no more than `max_bytes` together; `screen` names what they are held against, if they
        are.
        """
        self._answers = answers
        self._once = once
        self._outgoing = outgoing
        self._clock = clock
        self._any_temperature = any_temperature
        self._screen = screen
        self._flights = Flights(max_bytes=max_bytes)
        self._embedding = None if answers is None else Embedding(answers, self._flights, clock)

    def concerns(self, exchange: Exchange) -> bool:
        """Say whether a request could be answered otherwise than by asking a replica."""
        return self._answers is not None or exchange.sends_any(_NAMED)

    async def answer(
        self,
        exchange: Exchange,
        asked: Asked,
        sink: Sink,
        relay: Relay,
        *,
        model: str,
        origin: Sequence[str],
        bill: Bill | None = None,
    ) -> None:
        """Have `asked` answered into `sink`; `relay` is called for what is not there, and asks those of `origin`.

        Where `bill` is given, it is called for what is there.

        Raises:
            GatewayError: what `relay` raised, for this caller or for the one whose answer it shares.
            IdempotencyConflict: the caller gave the same name to another request.
        """
        wishes = wishes_in(exchange.headers)
        if self._embedding is not None and is_embedding(asked) and wishes.keeps and not exchange.caller.upstream_key:
            query = Query(exchange, asked, sink, relay, bill, reads=wishes.reads)
            if await self._embedding.answer(query, self._fields(exchange, asked, model), origin):
                return
        places = self._places(exchange, asked, model, origin, wishes)
        if places:
            await self._answer(_Case(exchange, asked, sink, relay, bill, form_of(asked), places))
        else:
            await relay(exchange, asked, sink if self._answers is None else BypassSink(sink))

    async def close(self) -> None:
        """End what is under way; the places where answers are kept are others' to close."""
        await self._flights.close()

    def _places(
        self, exchange: Exchange, asked: Asked, model: str, origin: Sequence[str], wishes: Wishes
    ) -> tuple[_Place, ...]:
        """Return where to look for the answer; nowhere when it is not to be found twice."""
        caller = exchange.caller
        if asked.saying is not None or asked.keeping is not None or caller.upstream_key:
            return ()
        places: tuple[_Place, ...] = ()
        if wishes.once is not None and asked.path in _ONCE:
            key = once_key(caller.id or exchange.address, wishes.once, self._screen)
            mark = fingerprint(exchange.operation.path, exchange.body)
            places = (_Place(self._once, key, fits=is_settled, fingerprint=mark),)
        if self._answers is not None and wishes.keeps and self._may_be_kept(asked):
            fields = self._fields(exchange, asked, model)
            source = (*origin, self._screen)
            key = answer_key(caller.id, source, asked.path, fields, asked.body, is_stream=asked.stream)
            fits = partial(is_complete, choices=asked.choices)
            places = (*places, _Place(self._answers, key, fits, reads=wishes.reads))
        return places

    def _may_be_kept(self, asked: Asked) -> bool:
        return asked.path in _KEPT and (self._any_temperature or is_deterministic(asked.fields))

    def _fields(self, exchange: Exchange, asked: Asked, model: str) -> dict[str, Any]:
        """Return what a replica would read."""
        body = self._outgoing.body(asked.body, asked, model, exchange.caller)
        return asked.fields if body is asked.body else codec.loads(body)

    async def _answer(self, case: _Case) -> None:
        for number in range(_TRIES):
            claim = await self._claim(case)
            is_given = True
            try:
                is_given = await self._give_kept(case)
            finally:
                if is_given and claim is not None:
                    claim.release()
            if is_given or await self._share(case, claim, is_last=number == _TRIES - 1):
                return
        await case.relay(case.exchange, case.asked, case.sink if self._answers is None else BypassSink(case.sink))

    async def _claim(self, case: _Case) -> Claim | None:
        """Wait until no other process answers the request, and keep them from it; where none could, do nothing.

        Raises:
            IdempotencyConflict: another one answers another request of that name.
        """
        claims = case.first.shelf.claims
        while claims is not None and self._flights.find(case.first.key) is None:
            claim = await claims.take(case.first.key, case.first.fingerprint)
            if claim is not None:
                return claim
            await case.sink.until(_pause(_LOOK_EVERY_S))
        return None

    async def _give_kept(self, case: _Case) -> bool:
        """Give what is kept; say whether there was something."""
        for place in case.places:
            kept = await place.shelf.find(place.key) if place.reads else None
            if kept is None:
                continue
            if kept.fingerprint != place.fingerprint:
                raise IdempotencyConflict
            body = in_form(kept, case.form, case.asked.path)
            if body is None:
                continue
            if place is not case.first:
                await case.first.shelf.keep(case.first.key, kept, case.first.fingerprint)
            return await billed(case.bill, case.exchange, case.asked, partial(self._give, case, kept, body))
        return False

    async def _give(self, case: _Case, kept: Kept, body: bytes) -> bool:
        give(case.exchange, case.sink, kept, body, wall=self._clock.wall())
        return True

    async def _share(self, case: _Case, claim: Claim | None, *, is_last: bool) -> bool:
        """Wait for the answer that is under way, or begin one, to which the claim belongs; say whether it is there.

        Who only joined begins again where the answer came to nothing: that may have been another caller's affair.
        """
        flight = self._flying(case)
        if flight is None:
            return await self._wait(case, self._begin(case, claim), is_last=is_last)
        if claim is not None:
            claim.release()  # somebody here began while nobody could be kept from it
        if flight.fingerprint != case.first.fingerprint:
            raise IdempotencyConflict
        return await billed(case.bill, case.exchange, case.asked, partial(self._join, case, is_last=is_last))

    def _flying(self, case: _Case) -> Flight | None:
        return self._flights.find(case.first.key) if case.first.reads else None

    async def _join(self, case: _Case, *, is_last: bool) -> bool:
        flight = self._flying(case)  # what it is billed for may have taken a moment
        if flight is None:
            return False
        seat = flight.board(case.exchange, case.sink, case.form, mark=Mark.HIT)
        return await self._wait(case, seat, is_last=is_last)

    async def _wait(self, case: _Case, seat: Seat, *, is_last: bool) -> bool:
        try:
            await case.sink.until(seat.done)
        except GatewayError:
            if seat.is_first or seat.has_passed or (is_last and isinstance(seat.flight.failure, Failure)):
                raise
            return False
        finally:
            seat.leave()
        if seat.is_answered:
            return True
        kept = seat.flight.kept
        body = None if kept is None else in_form(kept, case.form, case.asked.path)
        return kept is not None and body is not None and await self._give(case, kept, body)

    def _begin(self, case: _Case, claim: Claim | None) -> Seat:
        """Have a replica asked, for whoever else may come."""
        most = max(place.shelf.max_answer_bytes for place in case.places)
        head = STREAM_HEADERS if case.exchange.is_event_stream else None  # somebody has said that somebody is there
        mark_of, room = case.first.fingerprint, self._flights.room
        flight = Flight(case.exchange, case.form, max_bytes=most, room=room, fingerprint=mark_of, head=head)
        mark = Mark.BYPASS if case.first.shelf.is_away else Mark.MISS
        seat = flight.board(case.exchange, case.sink, case.form, mark=mark)
        over = None if claim is None else claim.release
        course = Course(partial(_ask, case), partial(self._judge, case), partial(_keep, case), over)
        self._flights.launch(case.first.key, flight, course)
        return seat

    def _judge(self, case: _Case, flight: Flight) -> Kept | None:
        kept = kept_of(flight, self._clock.wall())
        return kept if any(place.fits(kept.body) for place in case.places) else None


def _pause(seconds: float) -> "asyncio.Future[None]":
    loop = asyncio.get_running_loop()
    pause: asyncio.Future[None] = loop.create_future()
    loop.call_later(seconds, _end, pause)
    return pause


def _end(pause: "asyncio.Future[None]") -> None:
    if not pause.done():
        pause.set_result(None)


async def _ask(case: _Case, flight: Flight) -> None:
    await case.relay(flight.exchange, case.asked, flight)


async def _keep(case: _Case, kept: Kept) -> None:
    for place in case.places:
        if place.fits(kept.body):
            await place.shelf.keep(place.key, kept, place.fingerprint)
