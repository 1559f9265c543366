"""What a gateway says of its models."""

from tests.wire.sims import fast, fleet
from vllm_gateway.connect.asking import NO_MODEL, find_place
from vllm_gateway.connect.place import DEFAULT_CONTEXT_TOKENS
from vllm_gateway.terminal.api import Target


async def test_the_first_model_is_taken_and_its_context_told() -> None:
    """Nothing has to be named for a snippet that works."""
    async with fleet(fast(max_model_len=2048)) as (_, door):
        place, wrong = await find_place(Target.at(str(door.http.base_url)), None)
    assert (place.model, place.context_tokens, wrong) == ("sim-small", 2048, "")


async def test_a_model_that_is_not_there_is_told() -> None:
    """The snippet is printed all the same: it may come."""
    async with fleet(fast()) as (_, door):
        place, wrong = await find_place(Target.at(str(door.http.base_url)), "other")
    assert place.model == "other"
    assert "sim-small" in wrong


async def test_a_name_that_would_steer_a_terminal_is_passed_over() -> None:
    """Whoever answers there may be anybody."""
    async with fleet(fast(models=("\x1b]0;evil\x07", "sim-small"), embedding_models=())) as (_, door):
        place, _ = await find_place(Target.at(str(door.http.base_url)), None)
    assert place.model == "sim-small"


async def test_a_gateway_that_is_away_is_no_hindrance() -> None:
    """What it would have told stands open."""
    place, wrong = await find_place(Target.at("http://127.0.0.1:1"), None)
    assert (place.model, place.context_tokens) == (NO_MODEL, DEFAULT_CONTEXT_TOKENS)
    assert "127.0.0.1:1" in wrong
