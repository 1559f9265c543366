"""One choice, from its wish to its end."""

from collections.abc import Sequence
from typing import Any

from vllm_gateway.sim.engine import tokens
from vllm_gateway.sim.engine.blocks import KvBlocks
from vllm_gateway.sim.engine.generation import Generation, Wish
from vllm_gateway.sim.engine.model import Model
from vllm_gateway.sim.engine.tokens import Special

PROMPT = tokens.render_chat([("user", "Hello")])


class Nobody:
    """A listener that does not listen."""

    def heard(self, generation: Generation, token: int | None, text: str) -> None:
        """Forget it."""


def generated(prompt: Sequence[int] = PROMPT, **wish: Any) -> Generation:  # noqa: ANN401 - any wish
    """Return a generation that has come to its end."""
    chosen = Wish(**{"max_tokens": 1000} | wish)
    generation = Generation(Model("m"), prompt, chosen, Nobody())
    while generation.finish_reason is None:
        generation.step()
    return generation


def test_it_ends_by_itself_with_stop() -> None:
    """The end token ends it, counts as a token and has no text."""
    generation = generated()
    assert generation.finish_reason == "stop"
    assert generation.stop_reason is None
    assert generation.ids[-1] == Special.END
    assert generation.text == tokens.decode(generation.ids)


def test_it_ends_at_its_length() -> None:
    """No more tokens than wanted, and the reason says so."""
    generation = generated(max_tokens=3)
    assert (generation.finish_reason, len(generation.ids)) == ("length", 3)


def test_the_end_can_be_ignored() -> None:
    """The end token is then one like others, and the text goes on."""
    generation = generated(max_tokens=200, ignore_eos=True)
    assert len(generation.ids) == 200
    assert Special.END in generation.ids


def test_the_end_waits_for_the_minimum() -> None:
    """Before `min_tokens` no end token is drawn at all."""
    short = len(generated().ids)
    generation = generated(min_tokens=short + 20)
    assert len(generation.ids) >= short + 20
    assert Special.END not in generation.ids[: short + 19]


def test_a_stop_string_ends_it_and_is_named() -> None:
    """The text ends before the string; the tokens are those that were made."""
    word = generated().text.split()[2]
    generation = generated(stop=(word,))
    assert (generation.finish_reason, generation.stop_reason) == ("stop", word)
    assert word not in generation.text
    assert word in tokens.decode(generation.ids)


def test_a_stop_string_wins_over_the_length() -> None:
    """If the last token completes both, the reason is the string."""
    word = generated().text.split()[2]
    length = len(generated(stop=(word,)).ids)
    assert generated(stop=(word,), max_tokens=length).finish_reason == "stop"


def test_a_stop_token_ends_it_and_is_named() -> None:
    """Its text is left out unless it is wanted."""
    token = generated().ids[3]
    left_out = generated(stop_token_ids=frozenset({token}))
    kept = generated(stop_token_ids=frozenset({token}), include_stop=True)
    assert (left_out.finish_reason, left_out.stop_reason) == ("stop", token)
    assert kept.text == left_out.text + tokens.name(token)


def test_tokens_can_be_ruled_out_or_ruled_in() -> None:
    """A banned token never comes; if only some are allowed, only they come."""
    banned = frozenset(generated(max_tokens=5).ids)
    assert not banned & set(generated(max_tokens=50, banned=banned, ignore_eos=True).ids)
    assert set(generated(max_tokens=20, allowed=(300, 301)).ids) <= {300, 301}


def test_log_probabilities_name_the_token_that_was_taken() -> None:
    """Each token has its own and those of the likeliest."""
    generation = generated(max_tokens=5, logprobs=3)
    assert [token for token, _, _ in generation.logprobs] == generation.ids
    assert all(len(ranked) == 3 and ranked[0] == (token, own) for token, own, ranked in generation.logprobs)


def test_the_engine_can_give_up() -> None:
    """After the token that a fault names, the reason is `abort`."""
    generation = Generation(Model("m"), PROMPT, Wish(max_tokens=50), Nobody())
    generation.abort_at = 4
    while generation.finish_reason is None:
        generation.step()
    assert (generation.finish_reason, len(generation.ids)) == ("abort", 4)


def test_its_tokens_fill_blocks_that_others_find() -> None:
    """After an answer, the cache has prompt and answer but for the newest token."""
    kv = KvBlocks(50)
    generation = Generation(Model("m"), PROMPT, Wish(max_tokens=60, ignore_eos=True), Nobody())
    generation.lease = kv.lease(PROMPT)
    assert generation.lease is not None
    while generation.finish_reason is None:
        assert generation.make_room()
        generation.step()
    generation.lease.release()
    again = kv.lease([*PROMPT, *generation.ids])
    assert again is not None
    assert again.cached_tokens == (len(PROMPT) + 59) // 16 * 16


def test_allowed_tokens_are_ruled_out_where_another_wish_says_so() -> None:
    """The end does not come before the minimum, nor a banned token ever, though a list allows them."""
    wish = Wish(max_tokens=30, min_tokens=20, allowed=(Special.END, 300, 301), banned=frozenset({301}))
    generation = Generation(Model("m"), [1, 2], wish, Nobody())
    while generation.finish_reason is None:
        generation.step()
    assert set(generation.ids[:20]) == {300}


def test_the_end_may_come_right_after_the_minimum() -> None:
    """With the end as the only choice it is ruled out for exactly `min_tokens` tokens."""
    wish = Wish(max_tokens=30, min_tokens=4, allowed=(Special.END, 300), banned=frozenset())
    lengths = set()
    for first in range(300, 340):
        generation = Generation(Model("m"), [first], wish, Nobody())
        while generation.finish_reason is None:
            generation.step()
        lengths.add(len(generation.ids))
    assert min(lengths) == 5
