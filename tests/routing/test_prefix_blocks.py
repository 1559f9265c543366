"""A prompt as a chain of hashes."""

from collections.abc import Iterable
from itertools import takewhile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.exchanges import exchange
from tests.routing.candidates import talk
from vllm_gateway import codec
from vllm_gateway.routing.prefix_blocks import BLOCK_BYTES, MOST_BLOCKS, blocks_of, prompt_text

LONG = "All that was said before, in so many words that it fills a block or two of whatever holds it. "


def blocks(path: str = "/v1/chat/completions", *, salt: str = "", model: str = "m", **fields: object) -> list[int]:
    """Return the blocks of a body."""
    return blocks_of(exchange(path).operation.read(codec.dumps({"model": model, **fields})), model, salt)


def common(one: Iterable[int], other: Iterable[int]) -> int:
    """Return how many blocks, or bytes, two prompts begin with together."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


@given(st.lists(st.text(max_size=300), min_size=1, max_size=6), st.text(max_size=300))
def test_the_next_turn_begins_with_all_blocks_of_the_turn_before(texts: list[str], said: str) -> None:
    """Whatever was said, in whatever script."""
    before, after = blocks(messages=talk(*texts)), blocks(messages=talk(*texts, said))
    assert after[: len(before)] == before


@given(st.text(max_size=400), st.text(max_size=400))
def test_prompts_share_as_many_blocks_as_their_text_does(one: str, other: str) -> None:
    """Not one more, and not one less."""
    first, second = blocks("/v1/completions", prompt=one), blocks("/v1/completions", prompt=other)
    shared = common(one.encode(), other.encode()) // BLOCK_BYTES
    assert common(first, second) == min(shared, len(first), len(second))


def test_only_whole_blocks_count() -> None:
    """One for each 64 bytes of text."""
    for size, count in ((0, 0), (63, 0), (64, 1), (127, 1), (128, 2), (6400, 100)):
        assert len(blocks("/v1/completions", prompt="x" * size)) == count


def test_equal_text_in_another_place_is_another_block() -> None:
    """Each hash is over all before it."""
    made = blocks("/v1/completions", prompt="x" * 640)
    assert len(set(made)) == 10


def test_the_number_of_blocks_is_bounded() -> None:
    """However long the prompt is, and however many messages it has."""
    assert len(blocks("/v1/completions", prompt="x" * 1_000_000)) == MOST_BLOCKS
    assert len(blocks(messages=talk(*["x" * 100] * 5000))) == MOST_BLOCKS
    assert len(prompt_text({"messages": talk(*["x" * 100] * 5000)})) == MOST_BLOCKS * BLOCK_BYTES


@pytest.mark.parametrize(
    "changes", [{"salt": "somebody else"}, {"model": "another"}, {"cache_salt": "mine"}, {"tools": [{"name": "t"}]}]
)
def test_prompts_that_are_cached_apart_share_nothing(changes: dict[str, Any]) -> None:
    """Another caller, another model, another salt of the caller's own, other tools."""
    said = talk(LONG * 5)
    assert common(blocks(messages=said), blocks(messages=said, **changes)) == 0


def test_what_stands_before_the_conversation_counts_first() -> None:
    """System text and instructions are where a replica's prompt begins, wherever they stand in the body."""
    one = blocks("/v1/messages", messages=talk("one"), system=LONG * 3)
    other = blocks("/v1/messages", system=LONG * 3, messages=talk("other"))
    assert common(one, other) == len(LONG * 3) // BLOCK_BYTES
    one = blocks("/v1/responses", input="one", instructions=LONG * 3)
    other = blocks("/v1/responses", instructions=LONG * 3, input=talk("other"))
    assert common(one, other) == len(LONG * 3) // BLOCK_BYTES


def test_parts_of_a_message_count_by_their_text() -> None:
    """A cache mark that moves on with the conversation changes nothing."""
    marked = {"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}
    plain = {"type": "text", "text": LONG}
    one = blocks("/v1/messages", messages=[{"role": "user", "content": [plain, marked]}])
    other = blocks("/v1/messages", messages=[{"role": "user", "content": [plain, plain]}])
    assert one == other
    assert len(one) == len(f"user\n{LONG}\n{LONG}") // BLOCK_BYTES


def test_calls_of_tools_are_part_of_the_conversation() -> None:
    """Two conversations that differ in a call differ from there on."""

    def called(name: str) -> list[int]:
        call = {"id": "c", "type": "function", "function": {"name": name, "arguments": "{}"}}
        answer = {"role": "assistant", "content": None, "tool_calls": [call]}
        return blocks(messages=[{"role": "user", "content": LONG}, answer, {"role": "user", "content": LONG}])

    assert called("one") == called("one")
    assert common(called("one"), called("two")) < len(called("one")) - 1
    assert common(called("one"), called("two")) >= len(LONG) // BLOCK_BYTES


def test_claude_codes_accounting_line_is_no_part_of_the_prompt() -> None:
    """It is new with every request, and no replica sees it."""

    def asked(number: int, *, is_list: bool) -> list[int]:
        text = f"x-anthropic-billing-header: {number}\n{LONG}"
        system = [{"type": "text", "text": text}] if is_list else text
        return blocks("/v1/messages", system=system, messages=talk(LONG))

    for is_list in (False, True):
        assert asked(1, is_list=is_list) == asked(2, is_list=is_list)


def test_long_pictures_are_told_apart_by_their_ends() -> None:
    """Megabytes are not hashed, and the text behind them still counts."""

    def seen(picture: str) -> list[int]:
        part = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{picture}"}}
        return blocks(messages=[{"role": "user", "content": [part, {"type": "text", "text": LONG}]}])

    one = seen("x" * 300_000)
    assert one == seen("x" * 300_000)
    assert len(one) < 20
    assert common(one, seen("x" * 299_999)) == 0
    assert seen("x" * 299_999 + "y") != one


@pytest.mark.parametrize("path", ["/v1/embeddings", "/tokenize"])
def test_routes_without_a_prefix_cache_have_no_blocks(path: str) -> None:
    """There is nothing to find again."""
    assert blocks(path, input=LONG * 5, prompt=LONG * 5) == []


@given(
    st.dictionaries(
        st.sampled_from(["messages", "prompt", "system", "tools", "input"]),
        st.recursive(
            st.none() | st.booleans() | st.integers(0, 9) | st.text(max_size=80),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["role", "content", "text", "type"]), inner, max_size=3)
            ),
            max_leaves=8,
        ),
    )
)
def test_any_body_has_blocks(fields: dict[str, Any]) -> None:
    """What a replica will refuse is no reason to fail before it does."""
    assert prompt_text(fields) == prompt_text(codec.loads(codec.dumps(fields)))
