"""The answers of the canned replica."""

from collections.abc import Mapping

import httptools
import pytest

from benchmarks import canned
from tests.recorded import recording
from vllm_gateway import codec


def shape(value: object) -> object:
    """Return the keys of a JSON value, all the way down."""
    if isinstance(value, Mapping):
        return {key: shape(inner) for key, inner in value.items()}
    return [shape(inner) for inner in value] if isinstance(value, list) else ...


def fields(event: bytes) -> dict[str, object]:
    """Return what an event of the stream says."""
    assert event.startswith(b"data: ")
    assert event.endswith(b"\n\n")
    value = codec.loads(event.removeprefix(b"data: "))
    assert isinstance(value, dict)
    return value


def test_the_completion_has_the_fields_of_a_real_one() -> None:
    """It differs from vLLM's in its values only, and has about 700 bytes."""
    real = codec.loads(recording("chat").body)
    real["metrics"] = real["usage"]["prompt_tokens_details"] = None  # vLLM's own choice, by its flags
    assert shape(codec.loads(canned.completion())) == shape(real)
    assert 600 < len(canned.completion()) < 900


def test_the_events_have_the_fields_of_real_ones() -> None:
    """Role, token, last and end are those of vLLM's stream, and a token has about 200 bytes."""
    role, token, *_, last, done = recording("chat_stream").events
    ours = canned.events()
    assert shape(fields(ours.role)) == shape(fields(role))
    assert shape(fields(ours.token)) == shape(fields(token))
    assert shape(fields(ours.last)) == shape(fields(last))
    assert ours.done == done
    assert 180 < len(ours.token) < 260


def test_the_usage_event_has_no_choices() -> None:
    """The event that tells the usage has an empty list of choices, as vLLM's."""
    usage = fields(canned.usage(7))
    assert usage["choices"] == []
    assert isinstance(usage["usage"], dict)
    assert usage["usage"]["completion_tokens"] == 7


def test_events_can_tell_the_usage_on_the_way() -> None:
    """Such events differ from the others by what they tell of the usage, and a gateway knows it by vLLM's own form."""
    plain, told = canned.events(), canned.counted(3)
    for one, other in ((plain.role, told.role), (plain.token, told.token), (plain.last, told.last)):
        assert {**fields(other), "usage": None} == {**fields(one), "usage": None}
    usage = fields(told.token)["usage"]
    assert isinstance(usage, dict)
    assert (usage["completion_tokens"], usage["total_tokens"]) == (3, 123)


@pytest.mark.parametrize("wire", [canned.response(b"{}"), canned.stream_head() + canned.chunk(b"{}") + b"0\r\n\r\n"])
def test_the_framing_is_http(wire: bytes) -> None:
    """Both kinds of response are read whole by an HTTP parser, and the connection stays open."""

    class Reader:
        body = b""
        is_complete = False
        keeps_alive = False

        def on_body(self, data: bytes) -> None:
            self.body += data

        def on_message_complete(self) -> None:
            self.is_complete = True
            self.keeps_alive = parser.should_keep_alive()  # the parser forgets as soon as it goes on

    reader = Reader()
    parser = httptools.HttpResponseParser(reader)
    parser.feed_data(wire)
    assert (reader.body, reader.is_complete) == (b"{}", True)
    assert (parser.get_status_code(), reader.keeps_alive) == (200, True)


def test_the_list_has_the_one_model() -> None:
    """The gateway finds the model that the client asks for."""
    assert [model["id"] for model in codec.loads(canned.models())["data"]] == [canned.MODEL]
