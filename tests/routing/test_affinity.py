"""Which replica answered a conversation last."""

from typing import Any

import pytest

from vllm_gateway.routing.affinity import Affinity, conversation_of


def test_the_last_replica_is_remembered_for_each_caller() -> None:
    """Two callers who use the same name mean two conversations."""
    affinity = Affinity()
    affinity.remember("a", "talk", "r1")
    affinity.remember("b", "talk", "r2")
    affinity.remember("a", "talk", "r3")
    assert [affinity.find(caller, "talk") for caller in ("a", "b", "c")] == ["r3", "r2", None]


def test_the_conversation_that_was_quiet_for_longest_is_forgotten() -> None:
    """Memory is bounded, whatever callers make up."""
    affinity = Affinity(most=2)
    for name in ("one", "two", "one", "three"):
        affinity.remember("", name, "r")
    assert [affinity.find("", name) for name in ("one", "two", "three")] == ["r", None, "r"]


@pytest.mark.parametrize(
    ("headers", "fields", "name"),
    [
        ([], {}, None),
        ([(b"x-session-id", b"s")], {"prompt_cache_key": "k"}, "s"),
        ([(b"x-claude-code-session-id", b"c"), (b"x-session-id", b"s")], {}, "s"),
        ([(b"thread-id", b"t"), (b"session-id", b"s")], {}, "s"),
        ([(b"x-openwebui-chat-id", b"w")], {}, "w"),
        ([(b"x-session-id", b"")], {"prompt_cache_key": "k"}, "k"),
        ([], {"prompt_cache_key": "k", "metadata": {"user_id": "u"}}, "k"),
        ([], {"metadata": {"user_id": "user_1_session_2"}}, "user_1_session_2"),
        ([], {"metadata": "x"}, None),
        ([], {"prompt_cache_key": 5}, None),
        ([], {"prompt_cache_key": ""}, None),
        ([(b"x-session-id", b"\xff")], {}, "\xff"),
        ([], {"prompt_cache_key": "k" * 1000}, "k" * 256),
    ],
)
def test_a_conversation_is_named_by_its_client(
    headers: list[tuple[bytes, bytes]], fields: dict[str, Any], name: str | None
) -> None:
    """By the headers of Claude Code, Codex and Open WebUI, or in the body; the most telling name counts."""
    assert conversation_of(headers, fields) == name
