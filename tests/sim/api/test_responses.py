"""The responses route."""

import re
from typing import Any

import pytest

from tests.sim.quick import HELLO, quick

RESPOND = "/v1/responses"
ASK = {"input": "Hello", "max_output_tokens": 12, "temperature": 0}


async def test_a_response_is_what_a_chat_says() -> None:
    """The same text, streamed and not, as text or as messages."""
    async with quick() as sim:
        chat = await sim.post("/v1/chat/completions", **HELLO, max_tokens=12)
        response = await sim.post(RESPOND, **ASK)
        events = await sim.stream(RESPOND, **ASK)
        turns = await sim.post(RESPOND, **ASK | {"input": [{"role": "user", "content": "Hello"}]})
    text = chat["choices"][0]["message"]["content"]
    assert response["output"][0]["content"][0]["text"] == text == turns["output"][0]["content"][0]["text"]
    assert "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta") == text
    assert response["usage"]["output_tokens"] == events[-1]["response"]["usage"]["output_tokens"] == 12


async def test_events_are_numbered_and_named() -> None:
    """From created to completed, without a gap."""
    async with quick() as sim:
        answer = await sim.http.post(RESPOND, json=ASK | {"stream": True})
    names = re.findall(r"^event: response\.(\S+)$", answer.text, flags=re.MULTILINE)
    numbers = [int(found) for found in re.findall(r'"sequence_number":(\d+)', answer.text)]
    assert names[:4] == ["created", "in_progress", "output_item.added", "content_part.added"]
    assert names[-4:] == ["output_text.done", "content_part.done", "output_item.done", "completed"]
    assert numbers == list(range(len(names)))


async def test_the_end_says_whether_there_was_more_to_say() -> None:
    """A response that was cut off is incomplete, and says why."""
    async with quick() as sim:
        cut = await sim.post(RESPOND, **ASK | {"max_output_tokens": 2})
        whole = await sim.post(RESPOND, **ASK | {"max_output_tokens": None})
    assert (cut["status"], cut["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert (whole["status"], whole["incomplete_details"]) == ("completed", None)
    assert whole["max_output_tokens"] == 4096 - whole["usage"]["input_tokens"]


async def test_instructions_come_first() -> None:
    """They are the system prompt."""
    async with quick() as sim:
        told = await sim.post(RESPOND, **ASK, instructions="Be brief.")
        plain = await sim.post(RESPOND, **ASK)
    assert told["usage"]["input_tokens"] > plain["usage"]["input_tokens"]
    assert told["instructions"] == "Be brief."


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"background": True}, 400),
        ({"input": [{"type": "function_call_output"}]}, 501),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, 501),
        ({"text": {"format": {"type": "json_schema"}}}, 501),
        ({"previous_response_id": "resp_1"}, 404),
        ({"model": "nope"}, 404),
        ({"input": 5}, 400),
    ],
)
async def test_what_is_not_offered_is_refused(more: dict[str, Any], status: int) -> None:
    """Background work, stored responses, references to them and forms are beyond a sim."""
    async with quick() as sim:
        assert (await sim.refused(RESPOND, **ASK | more))[0] == status


async def test_tools_are_noted_and_never_called() -> None:
    """The answer is text all the same, which agents that always send their tools can read."""
    async with quick() as sim:
        told = await sim.post(RESPOND, **ASK, tools=[{"type": "function", "name": "f"}])
        plain = await sim.post(RESPOND, **ASK)
    assert (told["tool_choice"], told["tools"][0]["name"]) == ("auto", "f")
    assert told["output"][0]["content"] == plain["output"][0]["content"]


async def test_items_of_earlier_responses_are_read() -> None:
    """Answers in parts or as text, calls with their results: each is part of the prompt; thoughts are not."""
    said = [{"role": "user", "content": "Hello"}]
    answer = {"type": "message", "role": "assistant", "status": "completed", "id": "msg_1"}
    text = [answer | {"content": "Good day"}]
    parts = [answer | {"content": [{"type": "output_text", "text": "Good day", "annotations": []}]}]
    call = {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": '{"city": "Rome"}'}
    result = {"type": "function_call_output", "call_id": "call_1", "output": "Sunny"}
    thought = {"type": "reasoning", "id": "rs_1", "summary": []}
    async with quick() as sim:
        tokens = [
            (await sim.post(RESPOND, **ASK | {"input": items}))["usage"]["input_tokens"]
            for items in (said, said + text, said + parts, [*said, thought], [*said, call], [*said, call, result])
        ]
    assert tokens[0] == tokens[3] < tokens[1] == tokens[2]
    assert tokens[0] < tokens[4] < tokens[5]


async def test_only_the_body_names_a_response() -> None:
    """Its id is the body's `request_id` as it stands, or a new one; the header of that name is another matter."""
    async with quick() as sim:
        named = await sim.post(RESPOND, **ASK, request_id="mine")
        headers = {"X-Request-Id": "abcdefgh"}
        others = [(await sim.http.post(RESPOND, json=ASK, headers=headers)).json()["id"] for _ in range(2)]
    assert named["id"] == "mine"
    assert others[0] != others[1]
    assert all(re.fullmatch("resp_[0-9a-f]{16}", each) for each in others)
