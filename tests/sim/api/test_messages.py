"""Anthropic's messages."""

import re
from typing import Any

import pytest

from tests.sim.quick import HELLO, quick

MESSAGES = "/v1/messages"
ASK = HELLO | {"model": "sim-small", "max_tokens": 12}


async def test_a_message_is_what_a_chat_says() -> None:
    """The same text as chat completions, streamed and not, and the same counts."""
    async with quick() as sim:
        chat = await sim.post("/v1/chat/completions", **ASK)
        message = await sim.post(MESSAGES, **ASK)
        events = await sim.stream(MESSAGES, **ASK)
        counted = await sim.post(f"{MESSAGES}/count_tokens", **ASK)
    text = chat["choices"][0]["message"]["content"]
    assert message["content"] == [{"type": "text", "text": text}]
    assert "".join(event["delta"].get("text", "") for event in events if "delta" in event) == text
    assert message["usage"]["output_tokens"] == events[-2]["usage"]["output_tokens"] == 12
    assert message["usage"]["input_tokens"] == counted["input_tokens"] == chat["usage"]["prompt_tokens"]


async def test_the_order_of_a_stream() -> None:
    """Every event has its name, and a block is opened and closed once."""
    async with quick() as sim:
        answer = await sim.http.post(MESSAGES, json=ASK | {"stream": True})
    names = re.findall(r"^event: (\w+)$", answer.text, flags=re.MULTILINE)
    assert names[:2] == ["message_start", "content_block_start"]
    assert set(names[2:-3]) == {"content_block_delta"}
    assert names[-3:] == ["content_block_stop", "message_delta", "message_stop"]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"max_tokens": 4000}, "end_turn"),
        ({"max_tokens": 3}, "max_tokens"),
        ({"stop_sequences": ["a"]}, "stop_sequence"),
    ],
)
async def test_each_end_has_its_reason(more: dict[str, Any], reason: str) -> None:
    """In Anthropic's words."""
    async with quick() as sim:
        message = await sim.post(MESSAGES, **ASK | more)
        events = await sim.stream(MESSAGES, **ASK | more)
    assert message["stop_reason"] == events[-2]["delta"]["stop_reason"] == reason


async def test_the_system_prompt_counts() -> None:
    """As text or in blocks; thinking blocks of earlier turns do not."""
    async with quick() as sim:
        plain = await sim.post(MESSAGES, **ASK, system="Be brief.")
        blocks = await sim.post(MESSAGES, **ASK, system=[{"type": "text", "text": "Be brief."}])
        thought = [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "Hello"}]
        thinking = await sim.post(MESSAGES, **ASK | {"messages": [{"role": "user", "content": thought}]})
        without = await sim.post(MESSAGES, **ASK)
    assert plain["content"] == blocks["content"]
    assert thinking["content"] == without["content"] != plain["content"]


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, 400),
        ({"messages": [{"role": "user", "content": [{"type": "image", "source": {}}]}]}, 400),
        ({"messages": []}, 400),
        ({"model": "nope"}, 404),
    ],
)
async def test_refusals_have_anthropics_shape(more: dict[str, Any], status: int) -> None:
    """A type, and inside it type and message."""
    async with quick() as sim:
        for path in (MESSAGES, f"{MESSAGES}/count_tokens"):
            found, error = await sim.refused(path, **ASK | more)
            assert (found, error["type"], set(error["error"])) == (status, "error", {"type", "message"})


async def test_a_text_that_is_all_held_back_has_no_block() -> None:
    """Nothing is opened where nothing is said."""
    async with quick() as sim:
        whole = await sim.post(MESSAGES, **ASK)
        events = await sim.stream(MESSAGES, **ASK, stop_sequences=[whole["content"][0]["text"][:1]])
    assert [event["type"] for event in events] == ["message_start", "message_delta", "message_stop"]


async def test_tools_may_be_shown_but_not_called() -> None:
    """As on a vLLM that was started without a parser for them."""
    tools = [{"name": "f", "input_schema": {}}]
    async with quick() as sim:
        for choice in ({}, {"tool_choice": {"type": "any"}}):
            assert (await sim.refused(MESSAGES, **ASK, tools=tools, **choice))[0] == 400
        ignored = await sim.post(MESSAGES, **ASK, tools=tools, tool_choice={"type": "none"})
        plain = await sim.post(MESSAGES, **ASK)
    assert ignored["content"] == plain["content"]


async def test_a_message_needs_a_model_and_a_length() -> None:
    """Anthropic's required fields are required."""
    async with quick() as sim:
        for body in (ASK | {"model": ""}, ASK | {"max_tokens": 0}, ASK | {"max_tokens": None}):
            status, error = await sim.refused(MESSAGES, **body)
            assert (status, error["error"]["type"]) == (400, "Bad Request")
