"""OpenAI's own client library, pointed at the gateway over real vLLM replicas."""

from collections.abc import AsyncIterator, Iterator

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from tests.real_vllm.fleet import EMBEDDING_MODEL, MODEL, Fleet, Server

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hello"}]


@pytest.fixture
def client(front: Server) -> Iterator[openai.OpenAI]:
    """Return the library's client, told not to hide a failure by trying again."""
    with openai.OpenAI(base_url=f"{front.url}/v1", api_key="any", max_retries=0) as client:
        yield client


@pytest.fixture
async def async_client(front: Server) -> AsyncIterator[openai.AsyncOpenAI]:
    """Return the asynchronous client."""
    async with openai.AsyncOpenAI(base_url=f"{front.url}/v1", api_key="any", max_retries=0) as client:
        yield client


@pytest.fixture
def direct(replicas: Fleet) -> Iterator[openai.OpenAI]:
    """Return the client of one replica, with nothing in between."""
    with openai.OpenAI(base_url=f"{replicas.first.url}/v1", api_key="any", max_retries=0) as client:
        yield client


def ask(client: openai.OpenAI) -> str:
    """Return a chat answer of eight tokens."""
    reply = client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=8, temperature=0)
    return reply.choices[0].message.content or ""


def test_chat(client: openai.OpenAI, direct: openai.OpenAI) -> None:
    """A chat answer has the replica's own text and its own token counts."""
    reply = client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=8, temperature=0)
    assert reply.choices[0].message.content == ask(direct) != ""
    assert reply.choices[0].finish_reason == "length"
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (7, 8)


def test_chat_stream(client: openai.OpenAI) -> None:
    """A stream joins to the plain answer, and carries no usage when none was asked for."""
    stream = client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=8, temperature=0, stream=True)
    chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == ask(client)
    assert chunks[-1].choices[0].finish_reason == "length"
    assert all(chunk.usage is None for chunk in chunks)


def test_chat_stream_with_usage(client: openai.OpenAI) -> None:
    """A stream that was asked for usage ends with one chunk of it, without a choice."""
    chunks = list(
        client.chat.completions.create(
            model=MODEL,
            messages=HELLO,
            max_tokens=8,
            temperature=0,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    assert [chunk for chunk in chunks if not chunk.choices] == chunks[-1:]
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 8


async def test_async_chat(async_client: openai.AsyncOpenAI, direct: openai.OpenAI) -> None:
    """The asynchronous client gets the same answer."""
    reply = await async_client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=8, temperature=0)
    assert reply.choices[0].message.content == ask(direct)


async def test_async_chat_stream(async_client: openai.AsyncOpenAI, direct: openai.OpenAI) -> None:
    """The asynchronous client streams the same answer."""
    stream = await async_client.chat.completions.create(
        model=MODEL, messages=HELLO, max_tokens=8, temperature=0, stream=True
    )
    assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream]) == ask(direct)


def test_completion(client: openai.OpenAI, direct: openai.OpenAI) -> None:
    """A completion is the same through the gateway, plain and streamed, from text and from token ids."""
    for prompt in ("The object is", [300, 301, 302]):
        plain, bare = (
            each.completions.create(model=MODEL, prompt=prompt, max_tokens=8, temperature=0)
            for each in (client, direct)
        )
        chunks = client.completions.create(model=MODEL, prompt=prompt, max_tokens=8, temperature=0, stream=True)
        assert plain.choices[0].text == bare.choices[0].text != ""
        assert "".join(chunk.choices[0].text for chunk in chunks) == plain.choices[0].text


def test_embeddings(client: openai.OpenAI, replicas: Fleet) -> None:
    """Embeddings come from the one replica that embeds, unchanged."""
    texts = ["Hello", "A class is an object"]
    with openai.OpenAI(base_url=f"{replicas.embeds.url}/v1", api_key="any", max_retries=0) as direct:
        bare = direct.embeddings.create(model=EMBEDDING_MODEL, input=texts)
    reply = client.embeddings.create(model=EMBEDDING_MODEL, input=texts)
    assert [item.embedding for item in reply.data] == [item.embedding for item in bare.data]
    assert len(reply.data[0].embedding) == 256


def test_models(client: openai.OpenAI) -> None:
    """The models of all replicas are listed once each, and one can be asked for by name."""
    assert sorted(model.id for model in client.models.list()) == [EMBEDDING_MODEL, MODEL]
    model = client.models.retrieve(MODEL).model_dump()
    assert (model["id"], model["max_model_len"]) == (MODEL, 4096)


def test_responses(client: openai.OpenAI, direct: openai.OpenAI) -> None:
    """A response is the same through the gateway, plain and streamed."""
    plain, bare = (
        each.responses.create(model=MODEL, input="Hello", max_output_tokens=8, temperature=0)
        for each in (client, direct)
    )
    stream = client.responses.create(model=MODEL, input="Hello", max_output_tokens=8, temperature=0, stream=True)
    events = list(stream)
    assert plain.output_text == bare.output_text != ""
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == plain.output_text
    assert events[-1].type == "response.completed"


def test_wrong_model(client: openai.OpenAI) -> None:
    """A model that nobody serves is the library's NotFoundError, and its text names the models there are."""
    with pytest.raises(openai.NotFoundError, match=r"tiny-llama") as caught:
        client.chat.completions.create(model="nope", messages=HELLO)
    assert caught.value.code == "model_not_found"


def test_wrong_field(client: openai.OpenAI) -> None:
    """A field that vLLM refuses is the library's BadRequestError with vLLM's own words."""
    with pytest.raises(openai.BadRequestError, match="top_p must be in"):
        client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=1, top_p=2)


def test_prompt_over_context(client: openai.OpenAI) -> None:
    """A prompt that does not fit is the library's BadRequestError, which names the model's limit."""
    with pytest.raises(openai.BadRequestError, match="4096"):
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "a b " * 2200}])
