"""What is left out of a conversation, and what it is counted to have."""

import math
import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from vllm_gateway.errors import ContextTooLong
from vllm_gateway.sessions.model import Begun, Message, Session, Turn
from vllm_gateway.sessions.trimming import Fitted, fit, new_messages

Fields = dict[str, Any]

HEADER = 7
"""What a prompt has beside its messages."""
ROLES = ("user", "assistant", "tool")


def said(role: str, tokens: int) -> Fields:
    """Return a message that takes so many tokens."""
    return {"role": role, "content": "x" * tokens}


class Additive:
    """A tokenizer for which a prompt is as long as its messages and a header."""

    def __init__(self) -> None:
        self.prompts: list[list[Fields]] = []

    def tokens(self, messages: Sequence[Fields]) -> int:
        """Return the size of a prompt."""
        return HEADER + sum(len(message["content"]) for message in messages)

    async def count(self, messages: list[Fields]) -> int:
        """Count, and remember that it was asked."""
        self.prompts.append(messages)
        return self.tokens(messages)


class Merging(Additive):
    """A nasty one: the system prompt goes into the first question, and words grow together across messages."""

    @override
    def tokens(self, messages: Sequence[Fields]) -> int:
        """Return the size of a prompt; it still never shrinks when there is more to say."""
        is_merged = len(messages) > 1 and messages[0]["role"] == "system"
        letters = sum(len(message["content"]) + 1 for message in messages)
        return 4 * HEADER - 5 * is_merged + math.ceil(letters * 0.7) + 3 * len(messages)


def turns_of(window: Sequence[Message]) -> list[int]:
    """Return where a window may begin."""
    questions = [at for at, message in enumerate(window) if message.fields["role"] == "user"]
    return [0, *questions[1:], len(window)] if window else [0]


async def fitted(
    tokenizer: Additive,
    window: Sequence[Message],
    *,
    limit: int,
    reply: int = 0,
    system: str | None = "system",
    new: Sequence[Fields] = (said("user", 5),),
    prompt_tokens: int = 0,
    first_kept: int = 0,
) -> Fitted:
    """Fit a window into a limit."""
    return await fit(
        window,
        first_kept=first_kept,
        system=system,
        new=new,
        limit_tokens=limit,
        reply_tokens=reply,
        prompt_tokens=prompt_tokens,
        count=tokenizer.count,
    )


def check(tokenizer: Additive, window: Sequence[Message], result: Fitted, allowed: int, *, is_minimal: bool) -> None:
    """Check what is true of every result for `system` and one question of 5 tokens."""
    kept = window[result.first_kept :]
    opening = [{"role": "system", "content": "system"}]
    assert result.messages == [*opening, *(message.fields for message in kept), said("user", 5)]
    assert result.first_kept in turns_of(window)
    assert result.prompt_tokens == tokenizer.tokens(result.messages) <= allowed
    assert result.messages in tokenizer.prompts
    assert len(tokenizer.prompts) <= 6 + math.log2(len(window) + 1)
    if is_minimal and result.first_kept:
        earlier = max(start for start in turns_of(window) if start < result.first_kept)
        more = [*opening, *(message.fields for message in window[earlier:]), said("user", 5)]
        assert tokenizer.tokens(more) > allowed


@st.composite
def windows(draw: st.DrawFn, knowledge: str) -> tuple[Message, ...]:
    """Return a conversation; its sizes are known exactly, roughly, not at all, or wrongly."""
    messages = []
    for role, tokens in draw(st.lists(st.tuples(st.sampled_from(ROLES), st.integers(1, 300)), max_size=40)):
        known = {
            "exact": st.just(tokens),
            "rough": st.integers(max(1, tokens - 20), tokens + tokens // 8),
            "none": st.just(0),
            "wrong": st.integers(0, 2000),
        }[knowledge]
        messages.append(Message(said(role, tokens), draw(known)))
    return tuple(messages)


@pytest.mark.parametrize("knowledge", ["exact", "rough", "none", "wrong"])
@given(data=st.data(), allowed=st.integers(20, 6000), reply=st.integers(0, 500), last=st.integers(0, 9000))
async def test_what_is_sent_fits_and_no_turn_is_missed(
    knowledge: str, data: st.DataObject, allowed: int, reply: int, last: int
) -> None:
    """Whatever is known of a conversation, the newest turns that fit are sent, in order, after a few counts."""
    tokenizer, window = Additive(), data.draw(windows(knowledge))
    result = await fitted(tokenizer, window, limit=allowed + reply, reply=reply, prompt_tokens=last)
    check(tokenizer, window, result, allowed, is_minimal=knowledge != "wrong")


@given(window=windows("none"), allowed=st.integers(60, 4000), last=st.integers(0, 9000))
async def test_a_tokenizer_that_merges_is_counted_and_not_guessed(
    window: tuple[Message, ...], allowed: int, last: int
) -> None:
    """Sizes that do not add up mislead the guess, never the result."""
    tokenizer = Merging()
    result = await fitted(tokenizer, window, limit=allowed, prompt_tokens=last)
    check(tokenizer, window, result, allowed, is_minimal=True)


@given(window=windows("none"), room=st.integers(0, 500))
async def test_one_count_is_enough_when_nothing_has_to_go(window: tuple[Message, ...], room: int) -> None:
    """The whole conversation is counted once, and sent."""
    tokenizer = Additive()
    everything = HEADER + 6 + 5 + sum(len(message.fields["content"]) for message in window)
    last = everything - 5 - (len(window[-1].fields["content"]) if window else 0)
    result = await fitted(tokenizer, window, limit=everything + room, prompt_tokens=last)
    assert (result.first_kept, result.prompt_tokens) == (0, everything)
    assert len(tokenizer.prompts) == 1


async def test_tool_calls_and_their_results_go_with_their_question() -> None:
    """Half a turn is never sent; what stands before the first question goes with it."""
    roles = ["assistant", "user", "assistant", "tool", "tool", "assistant", "user", "assistant"]
    window = [Message(said(role, 10), 10) for role in roles]
    starts = set()
    for limit in range(18, 105):
        result = await fitted(Additive(), window, limit=limit, first_kept=100)
        starts.add(result.first_kept - 100)
    assert starts == {0, 6, 8}


async def test_results_of_tools_are_never_sent_without_the_call() -> None:
    """Earlier turns go; when the one that asked for the results does not fit with them, the turn is refused."""
    roles = ["user", "assistant", "user", "assistant"]
    window = [Message(said(role, 10), 10) for role in roles]
    result = await fitted(Additive(), window, limit=38, new=[said("tool", 5)])
    assert result.first_kept == 2
    with pytest.raises(ContextTooLong):
        await fitted(Additive(), window, limit=37, new=[said("tool", 5)])


async def test_a_turn_that_does_not_fit_alone_is_refused_with_both_numbers() -> None:
    """System prompt, question and answer count; the conversation before them does not."""
    tokenizer = Additive()
    window = [Message(said(role, 50), 50) for role in ("user", "assistant") * 10]
    with pytest.raises(ContextTooLong) as refused:
        await fitted(tokenizer, window, limit=37, reply=20)
    assert re.findall(r"\d+", refused.value.message) == [str(HEADER + 6 + 5 + 20), "37"]
    assert tokenizer.prompts[-1] == [{"role": "system", "content": "system"}, said("user", 5)]
    assert len(tokenizer.prompts) <= 2
    result = await fitted(tokenizer, window, limit=38, reply=20)
    assert (result.first_kept, result.prompt_tokens) == (20, 18)


async def test_without_a_system_prompt_none_is_sent() -> None:
    """An empty one is none."""
    for system in (None, ""):
        result = await fitted(Additive(), [], limit=100, system=system)
        assert result.messages == [said("user", 5)]


async def talk(
    tokenizer: Additive, sizes: Sequence[tuple[int, int]], *, limit: int, reply: int = 40
) -> tuple[list[int], list[Message], int]:
    """Have a conversation as the pipeline does; return the counts of each turn, all messages and the first kept."""
    session, messages, counts = Session("s", "o", 0, 0, 0), list[Message](), []
    for asked, answered in sizes:
        window = tuple(messages[session.first_kept :])
        before = len(tokenizer.prompts)
        new = [said("user", asked)]
        result = await fitted(
            tokenizer,
            window,
            limit=limit,
            reply=reply,
            new=new,
            prompt_tokens=session.prompt_tokens,
            first_kept=session.first_kept,
        )
        counts.append(len(tokenizer.prompts) - before)
        added = new_messages(Begun(session, window), result, [*new, said("assistant", answered)], answered)
        turn = Turn(added, result.first_kept, result.prompt_tokens, answered, None, 0)
        messages.extend(turn.messages)
        session = Session("s", "o", 0, 0, 0, prompt_tokens=turn.prompt_tokens, first_kept=turn.first_kept)
    return counts, messages, session.first_kept


@given(sizes=st.lists(st.tuples(st.integers(1, 120), st.integers(1, 40)), min_size=2, max_size=60))
async def test_sizes_are_learned_from_what_prompts_grow_by(sizes: list[tuple[int, int]]) -> None:
    """After the first turn, every message is stored with its size, also while turns are dropped."""
    _, messages, _ = await talk(Additive(), sizes, limit=400)
    is_known = [message.tokens in {0, len(message.fields["content"])} for message in messages]
    assert all(is_known)
    if sum(map(sum, sizes)) + HEADER + 6 <= 360:
        assert all(message.tokens for message in messages[1:])


@pytest.mark.parametrize("tokenizer", [Additive(), Merging()], ids=["adds up", "merges"])
async def test_a_long_conversation_rarely_costs_more_than_one_count(tokenizer: Additive) -> None:
    """500 turns at the limit: few of them need a second count."""
    sizes = [(10 + 37 * number % 90, 1 + 53 * number % 40) for number in range(500)]
    counts, _, first_kept = await talk(tokenizer, sizes, limit=2000)
    assert first_kept > 800
    assert sum(counts) < 1.4 * len(counts)
    assert max(counts) <= 4


def test_a_size_that_cannot_be_true_is_not_stored() -> None:
    """A system prompt that was changed meanwhile, or reasoning that is not sent again, would mislead the next guess."""
    window = (Message(said("user", 10), 10), Message(said("assistant", 10), 10))
    session = Session("s", "o", 0, 0, 0, prompt_tokens=30)
    new = [said("user", 10), said("assistant", 3)]

    def stored(prompt_tokens: int, output_tokens: int) -> list[int]:
        result = Fitted(0, [], prompt_tokens)
        return [message.tokens for message in new_messages(Begun(session, window), result, new, output_tokens)]

    assert stored(30 + 10 + 10, 3) == [10, 3]
    assert stored(30 + 10 + 1000, 3) == [0, 3]
    assert stored(20, 3) == [0, 3]
    assert stored(30 + 10 + 10, 500) == [10, 0]


def test_what_is_said_at_once_shares_what_the_prompt_grew_by() -> None:
    """The results of two tools are stored with half of it each; where nothing was known before, nothing is."""
    window = (Message(said("user", 10), 10), Message(said("assistant", 10), 10))
    new = [said("tool", 10), said("tool", 30), said("assistant", 5)]
    session = Session("s", "o", 0, 0, 0, prompt_tokens=30)
    result = Fitted(0, [], 30 + 10 + 40)
    assert [message.tokens for message in new_messages(Begun(session, window), result, new, 5)] == [20, 20, 5]
    first = Begun(Session("s", "o", 0, 0, 0), ())
    assert [message.tokens for message in new_messages(first, result, new, 5)] == [0, 0, 5]
