"""A kept answer in the form that a caller asks for."""

import pytest

from tests.pipeline.cached import CHAT, DONE, STREAM, USAGE, whole
from tests.upstream.test_answers import Notes, chat
from vllm_gateway import codec
from vllm_gateway.cache.flight import Form
from vllm_gateway.cache.kept import Kept
from vllm_gateway.pipeline.replaying import form_of, give, in_form, write_answer

EVENTS = b"".join(STREAM) + DONE
ONE = Form(is_stream=False, tells_usage=False)
PLAIN = Form(is_stream=True, tells_usage=False)
TELLING = Form(is_stream=True, tells_usage=True)


def test_the_form_is_what_the_caller_sees() -> None:
    """Not what the gateway asks a replica for."""
    forms = {
        b'{"model":"m"}': ONE,
        b'{"model":"m","stream":true}': PLAIN,
        b'{"model":"m","stream":true,"stream_options":{"include_usage":true}}': TELLING,
    }
    for body, form in forms.items():
        asked = chat(body).asked
        assert asked is not None
        assert form_of(asked) == form


def test_its_own_form_is_given_as_it_is() -> None:
    """At any path, without a look at it."""
    assert in_form(Kept(b"anything", 1.0, is_stream=True), PLAIN, "/v1/messages") == b"anything"


@pytest.mark.parametrize(
    ("kept", "form", "path"),
    [
        (Kept(EVENTS, 1.0, is_stream=True), ONE, "/v1/messages"),
        (Kept(b"data: {\n\n", 1.0, is_stream=True), ONE, CHAT),
        (Kept(b"{", 1.0), PLAIN, CHAT),
        (Kept(b"[]", 1.0), TELLING, CHAT),
        (Kept(EVENTS, 1.0, is_stream=True), TELLING, CHAT),
        (Kept(whole().replace(b'"usage"', b'"use"'), 1.0), TELLING, CHAT),
    ],
)
def test_what_cannot_be_given_in_a_form_is_not_there(kept: Kept, form: Form, path: str) -> None:
    """Other routes, answers that are none, a usage that nobody told."""
    assert in_form(kept, form, path) is None


def test_usage_comes_and_goes() -> None:
    """A stream with it becomes one without it, and the other way round."""
    without = Kept(EVENTS, 1.0, is_stream=True, usage=USAGE)
    telling = in_form(without, TELLING, CHAT)
    assert telling is not None
    assert b'"usage":{"prompt_tokens":7' in telling
    assert in_form(Kept(telling, 1.0, is_stream=True, tells_usage=True), PLAIN, CHAT) == EVENTS
    answer = in_form(Kept(telling, 1.0, is_stream=True, tells_usage=True), ONE, CHAT)
    assert answer is not None
    assert codec.loads(answer) == codec.loads(whole())


def test_a_hit_is_a_whole_reply() -> None:
    """Status, headers, usage, end."""
    exchange, sink = chat(b'{"model":"m"}'), Notes()
    give(exchange, sink, Kept(b"{}", 10.0, usage=USAGE), b"{}", wall=13.5)
    assert (sink.status, sink.written, sink.is_ended) == (200, b"{}", True)
    assert dict(sink.headers) == {
        b"x-request-id": b"x1",
        b"x-cache": b"hit",
        b"age": b"3",
        b"content-type": b"application/json",
        b"content-length": b"2",
    }
    assert (exchange.usage, exchange.status, exchange.is_event_stream) == (USAGE, 200, False)


def test_a_stream_that_has_begun_goes_on() -> None:
    """It may have said that somebody is there."""
    exchange, sink = chat(), Notes()
    sink.start(200, [])
    write_answer(exchange, sink, EVENTS, is_stream=True)
    assert (sink.headers, sink.written, sink.is_ended) == ([], EVENTS, True)
    fresh = Notes()
    write_answer(exchange, fresh, EVENTS, is_stream=True)
    assert (fresh.status, exchange.is_event_stream) == (200, True)
