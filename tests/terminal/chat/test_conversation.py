"""Conversations as the gateway keeps them."""

import pytest

from tests.terminal.conftest import House, house
from vllm_gateway.terminal.api import Refused, Unreachable
from vllm_gateway.terminal.chat.conversation import (
    Conversation,
    begin,
    branch,
    branch_title,
    change,
    delete,
    exported,
    load,
    newest,
    rows,
    title_of,
)
from vllm_gateway.terminal.chat.words.entry import Entry, Kind
from vllm_gateway.terminal.parameters import Parameters


async def said(home: House, **fields: object) -> str:
    """Begin a conversation in which something was said, and return its id."""
    session = (await home.client.post("/v1/sessions", {"model": "sim-small", **fields}))["id"]
    await home.client.post(f"/v1/sessions/{session}/chat", {"message": "Hello", "max_tokens": 4})
    return str(session)


async def test_a_conversation_is_loaded_with_all_that_was_said() -> None:
    """Title, model, system prompt and messages with their places."""
    async with house() as home:
        session = await said(home, title="First", system_prompt="Be brief.")
        chat = await load(home.client, session, Parameters(seed=1))
        assert await newest(home.client) == session
    assert (chat.session, chat.title, chat.model, chat.system) == (session, "First", "sim-small", "Be brief.")
    assert [(entry.kind, entry.place, entry.name) for entry in chat.entries] == [
        (Kind.USER, 0, "You"),
        (Kind.ASSISTANT, 1, "sim-small"),
    ]
    assert chat.context_tokens > 0
    assert chat.kept()[0] == {"role": "user", "content": "Hello"}


async def test_long_lists_and_long_conversations_come_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """All conversations are listed, the youngest first, and all messages are there."""
    monkeypatch.setattr("vllm_gateway.terminal.chat.conversation._PAGE", 2)
    monkeypatch.setattr("vllm_gateway.terminal.chat.conversation._MESSAGES", 2)
    async with house() as home:
        for number in range(5):
            await home.client.post("/v1/sessions", {"title": f"{number}"})
        listed = await rows(home.client)
        assert sorted(row.title for row in listed) == ["0", "1", "2", "3", "4"]
        messages = [{"role": "user", "content": f"{number}"} for number in range(7)]
        long = await home.client.post("/v1/sessions", {"messages": messages})
        chat = await load(home.client, long["id"], Parameters())
    assert [entry.text for entry in chat.entries] == ["0", "1", "2", "3", "4", "5", "6"]


async def test_a_branch_goes_on_by_itself() -> None:
    """It has what was said up to its place, and the other one keeps everything."""
    async with house() as home:
        session = await said(home, title="First")
        chat = await load(home.client, session, Parameters())
        other = await branch(home.client, chat, chat.entries[:1], "First #2")
        assert other.session not in {None, session}
        again = await load(home.client, other.session or "", Parameters())
        assert [entry.text for entry in again.entries] == ["Hello"]
        assert len((await load(home.client, session, Parameters())).entries) == 2


async def test_a_conversation_is_changed_exported_and_deleted() -> None:
    """What is gone is told by the gateway."""
    async with house() as home:
        chat = Conversation(system="Be brief.")
        await begin(home.client, chat, "What is\nthe time?")
        assert chat.title == "What is the time?"
        session = chat.session or ""
        await change(home.client, session, title="Time")
        assert (await exported(home.client, session, "markdown")).startswith(b"# Time\n")
        await delete(home.client, session)
        with pytest.raises(Refused):
            await load(home.client, session, Parameters())
        with pytest.raises(Unreachable, match="no conversation"):
            await newest(home.client)


async def test_messages_of_other_kinds_do_not_disturb() -> None:
    """Tools are passed over, and parts are shown as what they are."""
    parts = [{"type": "text", "text": "See"}, {"type": "image_url", "image_url": {"url": "data:,"}}]
    messages = [
        {"role": "user", "content": parts},
        {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "content": "1"},
        {"role": "assistant", "content": "Done."},
    ]
    async with house() as home:
        session = await home.client.post("/v1/sessions", {"messages": messages})
        chat = await load(home.client, session["id"], Parameters())
    assert [(entry.text, entry.place) for entry in chat.entries] == [("See\n\n[image_url]", 0), ("Done.", 3)]


def test_titles_are_short_and_branches_count() -> None:
    """A title is one line."""
    assert title_of("a  b\nc") == "a b c"
    assert len(title_of("x" * 100)) == 60
    titles = (None, "A", "A #2", "A #b", "A #9")
    assert [branch_title(title) for title in titles] == ["Untitled #2", "A #2", "A #3", "A #b #2", "A #10"]


def test_what_was_kept_before_an_entry() -> None:
    """Notes and turns that failed are not part of the conversation."""
    first, note = Entry(Kind.USER, "1", place=0), Entry(Kind.NOTE, "x")
    failed, last = Entry(Kind.USER, "2"), Entry(Kind.USER, "3", place=2)
    chat = Conversation(entries=[first, note, failed, last])
    assert chat.before(last) == [first]
    assert [message["content"] for message in chat.kept()] == ["1", "3"]
