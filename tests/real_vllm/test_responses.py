"""The Responses API with what the gateway keeps, asked by OpenAI's own library, over two real vLLM replicas."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import openai
import pytest
from openai.types.responses import Response, ResponseFunctionToolCallParam, ResponseInputParam
from openai.types.responses.response_input_item_param import FunctionCallOutput

from tests.real_vllm.asked import gauge
from tests.real_vllm.fleet import MODEL, Fleet, Server
from vllm_gateway.dialects.kept_responses import continued

HELLO: ResponseInputParam = [{"role": "user", "content": "Hello"}]
CALL: ResponseFunctionToolCallParam = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
RESULT: FunctionCallOutput = {"type": "function_call_output", "call_id": "c", "output": "Sunny"}
THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm"}]}
TEXT: dict[str, Any] = {"type": "output_text", "text": "Good day", "annotations": [], "logprobs": None}
REFUSAL = {"type": "refusal", "refusal": "No."}
MESSAGE = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "phase": None}


@pytest.fixture
async def client(front: Server) -> AsyncIterator[openai.AsyncOpenAI]:
    """Return the library's client, told not to hide a failure by trying again."""
    async with openai.AsyncOpenAI(base_url=f"{front.url}/v1", api_key="any", max_retries=0) as client:
        yield client


@pytest.fixture
async def direct(replicas: Fleet) -> AsyncIterator[openai.AsyncOpenAI]:
    """Return the client of one replica, with nothing in between."""
    async with openai.AsyncOpenAI(base_url=f"{replicas.first.url}/v1", api_key="any", max_retries=0) as client:
        yield client


async def create(client: openai.AsyncOpenAI, said: str | ResponseInputParam, **more: Any) -> Response:  # noqa: ANN401 - any field
    """Have a short answer that is the same every time."""
    fields = {"max_output_tokens": 8, "temperature": 0, **more}
    response = await client.responses.create(model=MODEL, input=said, **fields)
    assert isinstance(response, Response)
    return response


def tokens(response: Response) -> int:
    """Return how long the prompt was."""
    assert response.usage is not None
    return response.usage.input_tokens


async def answered(http: httpx2.AsyncClient, replicas: Fleet) -> list[float]:
    """Return how many requests each replica has answered."""
    pages = [(await http.get(f"{each.url}/metrics")).text for each in (replicas.first, replicas.second)]
    return [gauge(page, "vllm:request_success_total") for page in pages]


async def test_a_conversation_is_the_same_as_one_that_is_sent_whole(
    client: openai.AsyncOpenAI, direct: openai.AsyncOpenAI
) -> None:
    """Ten turns, each sent alone: prompts and answers are those that a replica gives for the whole conversation."""
    previous, whole = None, list[Any]()
    for number in range(10):
        said = f"Question {number}: what is it?"
        response = await create(client, said, previous_response_id=previous)
        whole.append({"role": "user", "content": said})
        expected = await create(direct, whole, store=False)
        assert (response.output_text, tokens(response)) == (expected.output_text, tokens(expected))
        assert response.previous_response_id == previous
        whole.append({"role": "assistant", "content": response.output_text})
        previous = response.id


async def test_both_replicas_know_a_conversation(
    client: openai.AsyncOpenAI, http: httpx2.AsyncClient, replicas: Fleet
) -> None:
    """So many go on from one response at once that both replicas must answer: each knows what was said before."""
    first = await create(client, "Hello")
    before = await answered(http, replicas)
    answers = await asyncio.gather(
        *(create(client, "And now?", previous_response_id=first.id, max_output_tokens=64) for _ in range(16))
    )
    after = await answered(http, replicas)
    assert all(now > then for now, then in zip(after, before, strict=True))
    (length,) = {tokens(answer) for answer in answers}
    assert length > tokens(first)
    assert len({answer.id for answer in answers}) == 16


async def test_a_stream_is_kept(client: openai.AsyncOpenAI) -> None:
    """The response at the end of a stream is the one that is found again, and can be gone on from."""
    first = await create(client, "Hello")
    stream = await client.responses.create(
        model=MODEL, input="More", max_output_tokens=8, temperature=0, stream=True, previous_response_id=first.id
    )
    events = [event async for event in stream]
    last = events[-1]
    assert last.type == "response.completed"
    assert (events[0].type, last.response.previous_response_id) == ("response.created", first.id)
    assert await client.responses.retrieve(last.response.id) == last.response
    third = await create(client, "On", previous_response_id=last.response.id)
    assert tokens(third) > tokens(last.response) > tokens(first)


async def test_calls_and_their_results_go_on(client: openai.AsyncOpenAI) -> None:
    """The result of a tool is taken, because its call was kept here."""
    first = await create(client, [*HELLO, CALL])
    second = await create(client, [RESULT], previous_response_id=first.id)
    assert tokens(second) > tokens(first)


async def test_what_is_deleted_is_gone(client: openai.AsyncOpenAI) -> None:
    """404 for whoever wants to read it or to go on from it."""
    first = await create(client, "Hello")
    await client.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError):
        await client.responses.retrieve(first.id)
    with pytest.raises(openai.NotFoundError):
        await create(client, "On", previous_response_id=first.id)


@pytest.mark.parametrize(
    "output",
    [
        pytest.param([MESSAGE | {"content": [TEXT]}], id="text"),
        pytest.param([MESSAGE | {"content": [TEXT, TEXT]}], id="two parts"),
        pytest.param([MESSAGE | {"content": [REFUSAL]}], id="a refusal"),
        pytest.param([MESSAGE | {"content": []}], id="an empty message"),
        pytest.param([THOUGHT | {"status": None}, MESSAGE | {"content": [TEXT]}], id="a thought"),
        pytest.param([THOUGHT | {"content": None, "encrypted_content": "x"}, CALL], id="an encrypted thought"),
        pytest.param([THOUGHT], id="a thought alone"),
        pytest.param([dict(CALL) | {"id": "fc_1", "namespace": None, "status": "completed"}], id="a call"),
        pytest.param([{"type": "custom_tool_call", "call_id": "c", "name": "f", "input": "x"}], id="a custom tool"),
        pytest.param([{"type": "web_search_call", "id": "ws_1", "status": "completed"}], id="a built-in tool"),
    ],
)
async def test_vllm_takes_every_kind_of_output(
    http: httpx2.AsyncClient, replicas: Fleet, output: list[dict[str, Any]]
) -> None:
    """Whatever a response holds, the input that is made of it is answered; fed back as it is, some of it is not."""
    items = continued([(list(HELLO), {"output": output})], list(HELLO))
    body = {"model": MODEL, "input": items, "max_output_tokens": 2}
    reply = await http.post(f"{replicas.first.url}/v1/responses", json=body)
    assert reply.status_code == 200, reply.text
