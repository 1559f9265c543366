"""Conversations and where they come from."""

from vllm_gateway.bench.prompts.conversation import Conversation, Listed, Salted


def test_a_list_begins_again_at_its_end() -> None:
    """So that there are always enough."""
    listed = Listed([Conversation(("a",)), Conversation(("b",))])
    assert [listed.draw(number).turns[0] for number in range(5)] == ["a", "b", "a", "b", "a"]
    assert len(listed) == 2


def test_salt_stands_at_the_very_beginning() -> None:
    """Of what the model is told first, because prefix caches begin there; nothing else changes."""
    listed = Listed([Conversation(("a", "b"), max_tokens=7), Conversation(("a",), "rules")])
    salted = Salted(listed, "s")
    assert salted.draw(0) == Conversation(("[s-0] a", "b"), None, 7)
    assert salted.draw(1) == Conversation(("a",), "[s-1] rules")
    assert salted.draw(2) != salted.draw(0)


def test_an_opening_is_a_system_message() -> None:
    """Where there is one."""
    assert Conversation(("a",), "rules").opened() == [{"role": "system", "content": "rules"}]
    assert Conversation(("a",)).opened() == []
