"""Where a broken answer is cut."""

from array import array

import pytest

from vllm_gateway import codec
from vllm_gateway.dialects.recovery.cutting import Answer, Cut, find_cut
from vllm_gateway.sim.engine import tokens

PROMPT = tokens.render_chat([("user", "日本 🙂")])


async def decode(path: str, body: bytes) -> bytes | None:
    """Answer as a replica does."""
    assert path == "/detokenize"
    return codec.dumps({"prompt": tokens.decode(codec.loads(body)["tokens"], skip_special=False)})


def answer(ids: list[int], text: str, *, hold: int = 0, is_behind_reasoning: bool = False) -> Answer:
    """Return an answer that broke off."""
    return Answer(array("I", PROMPT), array("I", ids), text, is_behind_reasoning, hold)


async def cut(ids: list[int], text: str, *, hold: int = 0, is_behind_reasoning: bool = False) -> Cut | None:
    """Return where such an answer is cut."""
    return await find_cut(decode, "model", answer(ids, text, hold=hold, is_behind_reasoning=is_behind_reasoning))


async def test_all_tokens() -> None:
    """An answer of which the caller has all the text is cut behind its last token."""
    ids = tokens.encode("Größe 日本 🙂")
    assert await cut(ids, "Größe 日本 🙂") == Cut(len(ids), "")


@pytest.mark.parametrize("missing", [1, 2, 3])
async def test_inside_a_character(missing: int) -> None:
    """Tokens of a character that is not whole are left out."""
    ids = [*tokens.encode("so "), *"🙂".encode()[:-missing]]
    assert await cut(ids, "so ") == Cut(len(tokens.encode("so ")), "")


async def test_text_held_back() -> None:
    """What was held back for a stop string is told apart, so that it is not lost."""
    ids = tokens.encode("one two three")
    assert await cut(ids, "one two t", hold=4) == Cut(len(ids), "hree")


async def test_text_that_is_late() -> None:
    """Tokens whose text the caller does not have, though nothing explains why it was held back, are left out."""
    ids = tokens.encode("one two three")
    assert await cut(ids, "one two") == Cut(len(tokens.encode("one two")), "")


@pytest.mark.parametrize(("text", "hold"), [("one tvo three", 0), ("one two three more", 0), ("one tw", 0), ("one", 3)])
async def test_other_text(text: str, hold: int) -> None:
    """There is no cut when the tokens do not say what the caller was told."""
    assert await cut(tokens.encode("one two three"), text, hold=hold) is None


async def test_special_tokens() -> None:
    """Special tokens, which a stream leaves out, are passed over, but not where the caller has their very name."""
    end = tokens.Special.END
    ids = [*tokens.encode("one."), end, *tokens.encode("<b>Two."), end]
    assert await cut(ids, "one.<b>Two.") == Cut(len(ids), "")
    assert await cut(ids, "one.<|end|><b>Two.<|end|>") == Cut(len(ids), "")
    assert await cut([*ids, *tokens.encode(" then")], "one.<b>Tw", hold=7) == Cut(len(ids) + 1, "o. then")


async def test_behind_reasoning() -> None:
    """Behind reasoning only the end of the text is compared."""
    ids = tokens.encode("<think>why</think>\n\nBecause it")
    assert await cut(ids, "Because it", is_behind_reasoning=True) == Cut(len(ids), "")
    assert await cut(ids, "Because ", hold=2, is_behind_reasoning=True) == Cut(len(ids), "it")
    assert await cut(ids, "Because I", is_behind_reasoning=True) is None


@pytest.mark.parametrize("told", [None, b"no JSON", b"[]", b"{}", b'{"prompt":5}', b'{"prompt":"other words"}'])
async def test_a_replica_that_cannot_say(told: bytes | None) -> None:
    """There is no cut when the replica does not say what the tokens are."""
    replies = [codec.dumps({"prompt": "before"}), told]

    async def ask(path: str, body: bytes) -> bytes | None:  # noqa: ARG001 - as it is asked
        return replies.pop(0)

    assert await find_cut(ask, "model", answer([1], "a")) is None


async def test_what_stands_before() -> None:
    """The last words before the cut are known, those of the prompt too; names of special tokens are none."""
    place = await cut(tokens.encode("Yes, "), "Yes, ")
    assert place is not None
    assert place.before == "日本 🙂Yes, "
    place = await cut(tokens.encode("word " * 40), "word " * 40)
    assert place is not None
    assert place.before == ("word " * 40)[-64:]


async def test_few_questions() -> None:
    """However long the answer is, a replica is asked a handful of questions, and none where it cannot answer."""
    asked: list[bytes] = []

    async def ask(path: str, body: bytes) -> bytes | None:
        asked.append(body)
        return await decode(path, body)

    ids = tokens.encode("word " * 400)
    assert await find_cut(ask, "model", answer(ids, "word " * 400)) == Cut(len(ids), "")
    assert len(asked) == 2
    assert await find_cut(ask, "model", answer(ids, "other")) is None
    assert len(asked) <= 12
