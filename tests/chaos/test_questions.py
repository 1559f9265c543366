"""What callers ask."""

from vllm_gateway import codec
from vllm_gateway.chaos.questions import CHAT_STREAM, CHAT_WHOLE, COMPLETION_STREAM, QUIET_STREAM, question, too_long


def test_each_kind_asks_in_its_own_way() -> None:
    """Chats have messages, completions a prompt; streams say so, and ask for the usage where they want it."""
    stream, whole = question(CHAT_STREAM, 0).body, question(CHAT_WHOLE, 0).body
    assert stream["stream_options"] == {"include_usage": True}
    assert "stream" not in whole
    assert "stream_options" not in question(QUIET_STREAM, 0).body
    plain = question(COMPLETION_STREAM, 0)
    assert (plain.path, plain.body["prompt"]) == ("/v1/completions", stream["messages"][0]["content"])
    assert {each["temperature"] for each in (stream, whole, plain.body)} == {0}


def test_a_mark_stands_in_the_prompt_as_it_is() -> None:
    """A request can be found again in what a replica has read."""
    assert b"(case x-1)" in codec.dumps(question(CHAT_STREAM, 3, mark="(case x-1)").body)
    assert b"(case x-1)" in codec.dumps(too_long(COMPLETION_STREAM, 3, mark="(case x-1)", model="m").body)


def test_the_same_number_asks_the_same() -> None:
    """Questions repeat, and different ones differ."""
    assert question(CHAT_STREAM, 1) == question(CHAT_STREAM, 1)
    assert question(CHAT_STREAM, 1) != question(CHAT_STREAM, 2)
