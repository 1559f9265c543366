"""The one place that writes an error to a caller."""

import asyncio
from typing import TypeVar

import pytest

from tests.exchanges import OPERATIONS, exchange
from vllm_gateway import codec
from vllm_gateway.dialects.anthropic import Anthropic
from vllm_gateway.dialects.openai import OpenAI
from vllm_gateway.dialects.plain import Plain
from vllm_gateway.edge.faults import fault_headers, fault_reply, write_fault
from vllm_gateway.errors import GatewayError, KeyRefused, MethodWrong, ModelUnknown, ReplicasUnusable, ReplicaTruncated
from vllm_gateway.exchange import Flow, Headers, Sink

T = TypeVar("T")
BROKEN = ReplicaTruncated("The model server's answer broke off before its end.")


class Written:
    """A sink that keeps what is written, in its order."""

    is_gone = False
    is_started = False

    def __init__(self) -> None:
        self.steps: list[object] = []

    def feed_from(self, flow: Flow | None) -> None:
        """Nothing feeds an error."""

    def start(self, status: int, headers: Headers) -> None:
        """Keep the head."""
        self.is_started = True
        self.steps.append((status, dict(headers)))

    def write(self, data: bytes) -> None:
        """Keep a part of the body."""
        self.steps.append(data)

    def end(self) -> None:
        """Keep that it was completed."""
        self.steps.append("end")

    def cut(self) -> None:
        """Keep that it was cut."""
        self.steps.append("cut")

    def drop(self) -> None:
        """Do nothing: this caller takes everything."""

    async def until(self, done: "asyncio.Future[T]") -> T:
        """Wait."""
        return await done


@pytest.mark.parametrize("path", sorted(OPERATIONS))
def test_before_its_beginning_a_reply_becomes_the_error(path: str) -> None:
    """With its status, in the caller's own shape, whole, and with the id of the request."""
    asked = exchange(path, request_id="request-7")
    sink = Written()
    error = ModelUnknown("No model server offers the model 'x'.", param="model")
    write_fault(error, asked, sink)
    status = 409 if isinstance(asked.operation.dialect, Plain) else 404
    body = asked.operation.dialect.fault(error, "request-7")
    assert sink.steps == [
        (
            status,
            dict(asked.operation.dialect.reply_headers("request-7"))
            | {b"content-type": b"application/json", b"content-length": b"%d" % len(body)},
        ),
        body,
        "end",
    ]
    assert asked.status == status
    assert codec.loads(body)["error"]["message"] == error.message


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/v1/messages", "/chat"])
def test_a_stream_that_has_begun_gets_one_error_event_and_no_end(path: str) -> None:
    """The status has left already, and nothing may look like a proper end."""
    asked = exchange(path)
    sink = Written()
    sink.is_started = asked.is_event_stream = True
    asked.status = 200
    write_fault(BROKEN, asked, sink)
    assert sink.steps == [asked.operation.dialect.fault_event(BROKEN, asked.id), "cut"]
    assert b"[DONE]" not in asked.operation.dialect.fault_event(BROKEN, asked.id)
    assert asked.status == 200


def test_half_an_answer_in_one_piece_is_cut_off() -> None:
    """Anything that is added would be taken for a part of it."""
    asked = exchange()
    sink = Written()
    sink.is_started = True
    write_fault(BROKEN, asked, sink)
    assert sink.steps == ["cut"]


@pytest.mark.parametrize(
    ("error", "more"),
    [
        (BROKEN, []),
        (ReplicasUnusable("Later.", retry_after_s=5), [(b"retry-after", b"5"), (b"retry-after-ms", b"5000")]),
        (ReplicasUnusable("Later.", retry_after_s=0.25), [(b"retry-after", b"1"), (b"retry-after-ms", b"250")]),
        (ReplicasUnusable("Later.", retry_after_s=0), [(b"retry-after", b"0"), (b"retry-after-ms", b"0")]),
        (MethodWrong("No.", allowed="POST"), [(b"allow", b"POST")]),
        (KeyRefused("Which key?"), [(b"www-authenticate", b"Bearer")]),
    ],
)
def test_the_headers_say_when_and_how_to_ask_again(error: GatewayError, more: Headers) -> None:
    """Whole seconds for those that read only these, never too few; and what a path does take."""
    kind = [(b"content-type", b"application/json"), (b"content-length", b"3")]
    assert fault_headers(error, b"abc") == kind + more


@pytest.mark.parametrize("dialect", [OpenAI(), Anthropic(), Plain()])
def test_a_route_without_an_exchange_answers_alike(dialect: OpenAI | Anthropic | Plain) -> None:
    """The same status, headers and body, as a reply of its own."""
    error = ReplicasUnusable("Later.", retry_after_s=5)
    status, headers, body = fault_reply(error, dialect, "id-1")
    assert status == 503
    assert body == dialect.fault(error, "id-1")
    assert headers == dialect.reply_headers("id-1") + fault_headers(error, body)


def test_the_sink_of_these_tests_is_a_sink() -> None:
    """It has everything that its protocol names; mypy checks the shapes of the same line."""
    sink: Sink = Written()
    assert {name for name in vars(Sink) if not name.startswith("_") and not hasattr(sink, name)} == set()
