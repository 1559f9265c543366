"""A kept answer given to a caller, in the form that this caller asks for."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from vllm_gateway import codec
from vllm_gateway.cache.flight import Flight, Form
from vllm_gateway.cache.kept import Kept
from vllm_gateway.cache.telling import Mark, marked
from vllm_gateway.dialects.openai import usage_of
from vllm_gateway.dialects.replayed import answer_of, events_of, split_usage, usage_json, with_usage
from vllm_gateway.errors import ReplicaFailed
from vllm_gateway.exchange import Asked, Exchange, Headers, Sink
from vllm_gateway.upstream.answers import start, start_stream

Relay = Callable[[Exchange, Asked, Sink], Awaitable[None]]
"""Has something answered by a replica, within the limits of the exchange's caller."""
Give = Callable[[Asked], Awaitable[None]]
"""Gives a kept answer."""
Bill = Callable[[Exchange, Asked, Give], Awaitable[None]]
"""Has a kept answer given within the limits of the exchange's caller."""

_BY_EVENTS = frozenset({"/v1/chat/completions", "/v1/completions"})
"""The routes of whose answers one form can be made of the other."""


def form_of(asked: Asked) -> Form:
    """Return the form in which a caller wants its answer."""
    return Form(asked.stream, asked.stream and not asked.adds_usage)


def kept_of(flight: Flight, wall: float) -> Kept:
    """Return a whole answer as it is kept."""
    is_stream = flight.exchange.is_event_stream
    return Kept(flight.body, wall, is_stream, is_stream and flight.form.tells_usage, flight.exchange.usage)


def in_form(kept: Kept, form: Form, path: str) -> bytes | None:
    """Return a kept answer in another form, or in its own; None when it cannot be given so."""
    if (kept.is_stream, kept.tells_usage) == form:
        return kept.body
    if path not in _BY_EVENTS:
        return None
    try:
        if kept.is_stream:
            return _of_events(kept, form)
        return _of_answer(kept.body, form)
    except (ReplicaFailed, ValueError):
        return None


def give(exchange: Exchange, sink: Sink, kept: Kept, body: bytes, *, wall: float) -> None:
    """Write `body`, which is the kept answer in the caller's form."""
    exchange.usage = kept.usage
    exchange.told = marked(exchange.told, Mark.HIT, age_s=kept.age_s(wall))
    write_answer(exchange, sink, body, is_stream=exchange.asked is not None and exchange.asked.stream)


async def billed(bill: Bill | None, exchange: Exchange, asked: Asked, give: Callable[[], Awaitable[bool]]) -> bool:
    """Have an answer given within the limits of the exchange's caller, where `bill` is; return what `give` does."""
    if bill is None:
        return await give()
    is_given = False

    async def give_it(_: Asked) -> None:
        nonlocal is_given
        is_given = await give()

    await bill(exchange, asked, give_it)
    return is_given


def write_answer(exchange: Exchange, sink: Sink, body: bytes, *, is_stream: bool) -> None:
    """Write a whole reply; a stream may have begun already, to say that somebody is there."""
    if not is_stream:
        length: Headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        start(exchange, sink, HTTPStatus.OK, length)
    elif not sink.is_started:
        start_stream(exchange, sink)
    sink.write(body)
    sink.end()


def _of_events(kept: Kept, form: Form) -> bytes | None:
    events, usage = split_usage(kept.body) if kept.tells_usage else (kept.body, usage_json(kept.usage))
    if not form.is_stream:
        return answer_of(events, usage)
    if not form.tells_usage:
        return events
    return with_usage(events, usage) if usage else None


def _of_answer(answer: bytes, form: Form) -> bytes | None:
    events = events_of(answer)
    if not form.tells_usage:
        return events
    usage = codec.loads(answer).get("usage")
    return None if usage_of(usage) is None else with_usage(events, codec.dumps(usage))
