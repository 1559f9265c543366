"""Anthropic's own client library, pointed at the gateway over real vLLM replicas."""

from collections.abc import Iterator

import anthropic
import pytest
from anthropic.types import MessageParam, TextBlock

from tests.real_vllm.fleet import MODEL, Fleet, Server

COLD = {"temperature": 0}
"""A field of vLLM's that the library has no argument for."""
HELLO: list[MessageParam] = [{"role": "user", "content": "Hello"}]


@pytest.fixture
def client(front: Server) -> Iterator[anthropic.Anthropic]:
    """Return the library's client, told not to hide a failure by trying again."""
    with anthropic.Anthropic(base_url=front.url, api_key="any", max_retries=0) as client:
        yield client


@pytest.fixture
def answer(replicas: Fleet) -> str:
    """Return what a replica answers when it is asked directly."""
    with anthropic.Anthropic(base_url=replicas.first.url, api_key="any", max_retries=0) as direct:
        return text_of(direct.messages.create(model=MODEL, max_tokens=8, messages=HELLO, extra_body=COLD))


def text_of(message: anthropic.types.Message) -> str:
    """Return the text of a message of one block."""
    [block] = message.content
    assert isinstance(block, TextBlock)
    return block.text


def test_message(client: anthropic.Anthropic, answer: str) -> None:
    """A message has the replica's own text, counts and reason to stop."""
    message = client.messages.create(model=MODEL, max_tokens=8, messages=HELLO, extra_body=COLD)
    assert text_of(message) == answer != ""
    assert (message.usage.input_tokens, message.usage.output_tokens) == (7, 8)
    assert message.stop_reason == "max_tokens"


def test_message_stream(client: anthropic.Anthropic, answer: str) -> None:
    """A streamed message joins to the plain one, and its last event carries the counts."""
    with client.messages.stream(model=MODEL, max_tokens=8, messages=HELLO, extra_body=COLD) as stream:
        assert "".join(stream.text_stream) == answer
        final = stream.get_final_message()
    assert (final.stop_reason, final.usage.output_tokens) == ("max_tokens", 8)


async def test_async_message(front: Server, answer: str) -> None:
    """The asynchronous client gets the same answer, plain and streamed."""
    async with anthropic.AsyncAnthropic(base_url=front.url, api_key="any", max_retries=0) as client:
        message = await client.messages.create(model=MODEL, max_tokens=8, messages=HELLO, extra_body=COLD)
        async with client.messages.stream(model=MODEL, max_tokens=8, messages=HELLO, extra_body=COLD) as stream:
            streamed = "".join([text async for text in stream.text_stream])
    assert text_of(message) == streamed == answer


def test_count_tokens(client: anthropic.Anthropic) -> None:
    """The count of a prompt is the one that its answer reports."""
    assert client.messages.count_tokens(model=MODEL, messages=HELLO).input_tokens == 7


def test_wrong_model(client: anthropic.Anthropic) -> None:
    """A model that nobody serves is the library's NotFoundError, and its text names the models there are."""
    with pytest.raises(anthropic.NotFoundError, match=r"tiny-llama") as caught:
        client.messages.create(model="nope", max_tokens=8, messages=HELLO)
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["type"] == "error"


def test_wrong_field(client: anthropic.Anthropic) -> None:
    """A field that vLLM refuses is the library's BadRequestError."""
    with pytest.raises(anthropic.BadRequestError):
        client.messages.create(model=MODEL, max_tokens=-1, messages=HELLO)
