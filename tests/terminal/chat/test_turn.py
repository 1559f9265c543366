"""A turn of a conversation."""

import pytest

from tests.terminal.conftest import house
from vllm_gateway.clock import SystemClock
from vllm_gateway.terminal.api import Refused
from vllm_gateway.terminal.api.client import Client
from vllm_gateway.terminal.api.reply import Reply
from vllm_gateway.terminal.chat.conversation import Conversation
from vllm_gateway.terminal.chat.turn import Turn, told
from vllm_gateway.terminal.chat.words.entry import Entry, Kind, State
from vllm_gateway.terminal.parameters import Parameters


def turn(client: Client, chat: Conversation, text: str = "Hello") -> Turn:
    """Return a turn that has not been asked."""
    question = Entry(Kind.USER, text)
    answer = Entry(Kind.ASSISTANT, state=State.WAITING)
    chat.entries += [question, answer]
    return Turn(client, chat, question, answer, SystemClock())


async def test_a_turn_begins_the_conversation_and_is_kept() -> None:
    """The answer has its text, its place and its figures; pieces were told as they came."""
    pieces: list[None] = []
    async with house() as home:
        chat = Conversation(system="Be brief.", parameters=Parameters(max_tokens=20))
        said = turn(home.client, chat)
        await said.run(lambda: pieces.append(None))
        kept = await home.client.get(f"/v1/sessions/{chat.session}/messages")
    assert [row["content"] for row in kept["data"]] == ["Hello", said.answer.text]
    assert (said.question.place, said.answer.place, said.answer.state) == (0, 1, State.WHOLE)
    assert (chat.title, said.answer.name) == ("Hello", "sim-small")
    assert chat.context_tokens > 20
    assert len(pieces) > 1
    for figure in ("TTFT ", " tok/s", "in ", "out 20", "default-1", "cut at the token limit"):
        assert figure in said.answer.footer


async def test_a_conversation_that_has_expired_goes_on_as_a_new_one() -> None:
    """With everything that was said in it, and under the same title."""
    async with house() as home:
        chat = Conversation(model="sim-small", parameters=Parameters(max_tokens=4))
        await turn(home.client, chat).run(lambda: None)
        before = chat.session
        await home.client.ask("DELETE", f"/v1/sessions/{before}")
        second = turn(home.client, chat, "And now?")
        await second.run(lambda: None)
        kept = await home.client.get(f"/v1/sessions/{chat.session}/messages")
    assert chat.session != before
    assert [row["role"] for row in kept["data"]] == ["user", "assistant", "user", "assistant"]
    assert (second.question.place, second.answer.place) == (2, 3)


async def test_a_refusal_leaves_nothing_behind() -> None:
    """Neither here nor in the gateway."""
    async with house() as home:
        chat = Conversation(model="no-such-model")
        said = turn(home.client, chat)
        with pytest.raises(Refused, match="no-such-model"):
            await said.run(lambda: None)
        assert (await home.client.get(f"/v1/sessions/{chat.session}/messages"))["data"] == []
    assert said.answer.place is None


def test_figures_that_nobody_told_are_left_out() -> None:
    """Cached tokens are told where there are any."""
    reply = Reply(asked_at=0.0)
    assert told(reply, None) == "0.0 s"
    usage = {"prompt_tokens": 1200, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 40}}
    reply.take({"choices": [{"delta": {"content": "a"}}]}, 0.084)
    reply.take({"choices": [{"delta": {"content": "b"}, "finish_reason": "stop"}], "usage": usage}, 0.284)
    assert told(reply, "gpu-1") == "TTFT 84 ms · 10 tok/s · in 1,200 (40 cached) · out 3 · 0.3 s · gpu-1"
