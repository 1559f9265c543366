"""An answer, put together."""

from typing import Any

from vllm_gateway.terminal.api.reply import Delta, Reply


def event(usage: dict[str, Any] | None = None, finish_reason: str | None = None, **delta: str) -> dict[str, Any]:
    """Return an event of a stream."""
    return {"model": "m", "choices": [{"delta": delta, "finish_reason": finish_reason}], "usage": usage}


def test_an_answer_grows_with_its_events() -> None:
    """Text and thoughts are kept apart, under the new name and the old; times begin with the first token of either."""
    reply = Reply(asked_at=10.0)
    assert reply.take(event(role="assistant", content=""), 10.2) == Delta()
    assert reply.take(event(reasoning="Hm"), 10.5) == Delta(thought="Hm")
    assert reply.take(event(reasoning_content="m."), 10.6) == Delta(thought="m.")
    assert reply.take(event(content="Yes"), 11.0) == Delta("Yes")
    assert reply.take(event(content=".", finish_reason="stop"), 11.5) == Delta(".")
    assert reply.take({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 5}}, 11.6) == Delta()
    assert (reply.text, reply.thinking, reply.finish_reason, reply.model) == ("Yes.", "Hmm.", "stop", "m")
    assert (reply.ttft_s, reply.took_s, reply.tokens_per_s) == (0.5, 1.5, 4.0)
    assert (reply.count("prompt_tokens"), reply.cached_tokens) == (7, None)


def test_what_is_not_told_is_not_made_up() -> None:
    """Without usage there are no rates; nonsense adds nothing."""
    reply = Reply(asked_at=0.0)
    nonsense: list[dict[str, Any]] = [{}, {"choices": [1]}, {"choices": [{"delta": 1}]}, event(usage={"a": 1})]
    assert [reply.take(each, 1.0) for each in nonsense] == [Delta()] * 4
    assert (reply.ttft_s, reply.took_s, reply.tokens_per_s, reply.count("completion_tokens")) == (None, 0.0, None, None)


def test_an_answer_in_one_piece_is_taken_whole() -> None:
    """It has no first token, and what the cache gave is told if the replica tells it."""
    reply = Reply(asked_at=0.0)
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}}
    message = {"role": "assistant", "content": "Yes.", "reasoning": "Hm"}
    whole = {"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}
    assert reply.take_whole(whole, 2.0) == Delta("Yes.", "Hm")
    assert (reply.text, reply.thinking, reply.took_s, reply.cached_tokens, reply.ttft_s) == ("Yes.", "Hm", 2.0, 4, None)
