"""A conversation as a page that people read."""

import pytest

from tests.sessions.stores.places import session
from vllm_gateway.sessions.export import markdown, text_of
from vllm_gateway.sessions.model import Message


def test_a_conversation_is_a_page_with_a_section_for_each_message() -> None:
    """Title, what it is about, the system prompt, and who said what, in order."""
    kept = session(title="A\nfirst  try", system_prompt="Be brief.", model="m", turns=1, created=1_700_000_000.0)
    said = [Message({"role": "user", "content": "Grüße 🙂"}), Message({"role": "assistant", "content": "Hello."})]
    assert markdown(kept, said) == (
        "# A first try\n\n- begun: 2023-11-14 22:13 UTC\n- model: m\n- turns: 1\n\n## System\n\nBe brief.\n\n"
        "## User\n\nGrüße 🙂\n\n## Assistant\n\nHello.\n"
    )


def test_a_conversation_without_anything_is_a_page_too() -> None:
    """No title, no model, no messages."""
    assert markdown(session(created=0.0), []).splitlines()[0] == "# Conversation"


def test_parts_calls_and_unknown_roles_are_shown() -> None:
    """Text parts as text, others by their kind, calls of tools as JSON; a message may say nothing at all."""
    parts = [{"type": "text", "text": "Look:"}, {"type": "image_url", "image_url": {"url": "x"}}]
    call = {"id": "c", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
    assert text_of({"role": "user", "content": parts}) == "Look:\n\n[image_url]"
    assert text_of({"role": "assistant", "content": None, "tool_calls": [call]}) == (
        '```json\n{"add":"{\\"a\\": 1}"}\n```'
    )
    assert text_of({"role": "assistant", "content": ""}) == ""
    assert "## narrator\n\nOnce" in markdown(session(), [Message({"role": "narrator", "content": "Once"})])


def test_nothing_that_was_said_looks_like_another_message() -> None:
    """Lines that would be headings are text; those of a block of code stay as they are, and the block ends."""
    said = "Hi\n## Assistant\nAssistant\n---\n```py\n# a comment\n```\n# x\n~~~\nleft open"
    kept = session(model="m\n\n## User\n\nforged", system_prompt="  ## User\nme")
    page = markdown(kept, [Message({"role": "user\n## Assistant", "content": said}), Message({"role": "user"})])
    lines = page.splitlines()
    headings = [line for line in lines if line.lstrip().startswith("#")]
    assert headings == ["# Conversation", "## System", "## user ## Assistant", "# a comment", "## User"]
    assert "\\---" in lines
    assert lines.count("~~~") == 2


@pytest.mark.parametrize("calls", [["add"], [None], [{"function": "add"}], [{"function": {"name": {}}}], {"a": 1}, 5])
def test_odd_calls_of_tools_are_shown_as_they_are(calls: object) -> None:
    """Whatever was stored, the conversation can be exported."""
    assert text_of({"role": "assistant", "content": "x", "tool_calls": calls}).startswith("x")
