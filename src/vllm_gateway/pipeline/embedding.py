"""Embeddings, kept one by one: a replica is asked for those that are not there."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from vllm_gateway.admission.members import edited
from vllm_gateway.cache.flight import Flight, Form, Seat
from vllm_gateway.cache.flights import Course, Flights
from vllm_gateway.cache.kept import Kept
from vllm_gateway.cache.keys import digest, item_keys
from vllm_gateway.cache.shelf import Shelf
from vllm_gateway.cache.telling import Mark, marked
from vllm_gateway.clock import Clock
from vllm_gateway.dialects.embedded import embeddings_in, items_of, prompt_tokens_in, put_together, tokens_of_each
from vllm_gateway.errors import GatewayError
from vllm_gateway.exchange import Asked, Exchange, Sink, Usage
from vllm_gateway.pipeline.replaying import Bill, Relay, billed, form_of, write_answer

_PATH = "/v1/embeddings"
_MOST_ITEMS = 128
"""More than these in one request are not looked for."""
_MOST_ANSWERS = 16
"""So many of the largest answers may one answer with many embeddings be as large as, to be taken apart."""
_ALONE = Form(is_stream=False, tells_usage=True)
"""Of an answer that is put together with others: nobody gets it as it is."""


@dataclass(frozen=True, slots=True)
class Query:
    """One request for embeddings."""

    exchange: Exchange
    asked: Asked
    sink: Sink
    relay: Relay
    bill: Bill | None
    reads: bool
    """Embeddings that were kept will do."""


@dataclass(frozen=True, slots=True)
class _Case:
    """The same, item by item."""

    query: Query
    keys: list[bytes]
    items: list[Any]
    known: dict[bytes, Kept]

    @property
    def missing(self) -> dict[bytes, Any]:
        """What has to be asked for, each once."""
        return {key: item for key, item in zip(self.keys, self.items, strict=True) if key not in self.known}


class Embedding:
    """Answers requests for embeddings."""

    def __init__(self, shelf: Shelf, flights: Flights, clock: Clock) -> None:
        self._shelf = shelf
        self._flights = flights
        self._clock = clock

    async def answer(self, query: Query, fields: dict[str, Any], origin: Sequence[str]) -> bool:
        """Have embeddings answered; `fields` is what a replica would read. False: nothing was done, for it cannot be.

        Raises:
            GatewayError: what the relay raised.
        """
        asked, items = query.asked, items_of(fields)
        if items is None or len(items) > _MOST_ITEMS:
            return False
        keys = item_keys(query.exchange.caller.id, origin, fields, items)
        found = await self._shelf.find_all(keys) if query.reads else [None] * len(keys)
        known = {key: kept for key, kept in zip(keys, found, strict=True) if kept is not None}
        case = _Case(query, keys, items, known)
        missing = case.missing
        if not missing:
            return await billed(query.bill, query.exchange, query.asked, partial(self._give, case))
        if len(missing) == len(items):
            return await self._share(case, asked, form_of(asked))
        changes = {"input": list(missing.values())}
        part = replace(asked, fields={**asked.fields, **changes}, body=edited(asked.body, changes=changes))
        return await self._share(case, part, _ALONE)

    async def _share(self, case: _Case, asked: Asked, form: Form) -> bool:
        """Wait for what is missing, and answer with all; say whether the caller has its answer."""
        key, query = digest(["embeddings", form, *(key.hex() for key in case.missing)]), case.query
        if self._flying(key, query) is None:
            return await self._wait(case, self._begin(case, key, asked, form))
        return await billed(query.bill, query.exchange, query.asked, partial(self._join, case, key, form))

    def _flying(self, key: bytes, query: Query) -> Flight | None:
        return self._flights.find(key) if query.reads else None

    async def _join(self, case: _Case, key: bytes, form: Form) -> bool:
        flight = self._flying(key, case.query)  # what it is billed for may have taken a moment
        return flight is not None and await self._wait(case, _board(flight, case.query, form, Mark.HIT))

    async def _wait(self, case: _Case, seat: Seat) -> bool:
        try:
            await case.query.sink.until(seat.done)
        except GatewayError:
            if seat.is_first or seat.has_passed:
                raise
            return False
        finally:
            seat.leave()
        if seat.is_answered:
            return True
        flight = seat.flight
        apart = _apart(flight, case.missing) if flight.is_joinable and flight.is_answer else None
        if apart is None:
            return False
        case.known.update({key: Kept(body, self._clock.wall(), usage=usage) for key, body, usage in apart})
        return self._write(case, seat.mark)

    def _begin(self, case: _Case, key: bytes, asked: Asked, form: Form) -> Seat:
        most = self._shelf.max_answer_bytes * min(_MOST_ANSWERS, len(case.missing))
        flight = Flight(case.query.exchange, form, max_bytes=most, room=self._flights.room)
        mark = Mark.BYPASS if self._shelf.is_away else Mark.MISS
        seat = _board(flight, case.query, form, mark)
        keep = partial(self._keep, flight, case.missing)
        course = Course(partial(_ask, case.query.relay, asked), partial(_judge, self._clock), keep)
        self._flights.launch(key, flight, course)
        return seat

    async def _keep(self, flight: Flight, missing: dict[bytes, Any], whole: Kept) -> None:
        apart = _apart(flight, missing) or ()
        await self._shelf.keep_all([(key, Kept(body, whole.at, usage=usage)) for key, body, usage in apart])

    async def _give(self, case: _Case) -> bool:
        return self._write(case, Mark.HIT)

    def _write(self, case: _Case, mark: Mark) -> bool:
        """Answer with what is known."""
        exchange, wall = case.query.exchange, self._clock.wall()
        kept = [case.known[key] for key in case.keys]
        age_s = max(each.age_s(wall) for each in kept) if mark is Mark.HIT else None
        exchange.told = marked(exchange.told, mark, age_s=age_s)
        exchange.usage = usage = _usage(case)
        body = put_together(
            [each.body for each in kept],
            name=f"embd-{exchange.id}",
            created=int(wall),
            model=exchange.model or "",
            tokens=usage.prompt_tokens,
        )
        write_answer(exchange, case.query.sink, body, is_stream=False)
        return True


def is_embedding(asked: Asked) -> bool:
    """Say whether embeddings are asked for."""
    return asked.path == _PATH


def _board(flight: Flight, query: Query, form: Form, mark: Mark) -> Seat:
    return flight.board(query.exchange, query.sink, None if form == _ALONE else form, mark=mark)


def _usage(case: _Case) -> Usage:
    """Return the tokens of all items, wherever their embeddings came from."""
    usages = [case.known[key].usage for key in case.keys]
    return Usage(sum(each.prompt_tokens for each in usages if each is not None), 0)


async def _ask(relay: Relay, asked: Asked, flight: Flight) -> None:
    await relay(flight.exchange, asked, flight)


def _judge(clock: Clock, flight: Flight) -> Kept | None:
    return Kept(b"", clock.wall()) if flight.is_joinable else None


def _apart(flight: Flight, missing: dict[bytes, Any]) -> list[tuple[bytes, bytes, Usage]] | None:
    """Return each embedding of an answer with its key and its tokens; None when the answer cannot be taken apart."""
    answer = flight.body
    embeddings, total = embeddings_in(answer, len(missing)), prompt_tokens_in(answer)
    if embeddings is None or total is None:
        return None
    tokens = tokens_of_each(list(missing.values()), total)
    return [(key, body, Usage(each, 0)) for key, body, each in zip(missing, embeddings, tokens, strict=True)]
