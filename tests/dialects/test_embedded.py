"""Embeddings cut out of answers and put into others."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vllm_gateway import codec
from vllm_gateway.dialects.embedded import embeddings_in, items_of, prompt_tokens_in, put_together, tokens_of_each

VECTORS = st.lists(st.lists(st.floats(-1, 1), min_size=1, max_size=4), min_size=1, max_size=5)


def answer(vectors: list[Any], tokens: int = 9) -> bytes:
    """Return an answer as vLLM writes it."""
    items = [{"index": at, "object": "embedding", "embedding": each} for at, each in enumerate(vectors)]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens, "completion_tokens": 0, "prompt_tokens_details": None}
    return codec.dumps({"id": "e", "object": "list", "created": 1, "model": "m", "data": items, "usage": usage})


@given(VECTORS)
def test_what_is_cut_out_can_be_put_in_again(vectors: list[list[float]]) -> None:
    """No digit is lost."""
    whole = answer(vectors)
    found = embeddings_in(whole, len(vectors))
    assert found is not None
    assert [codec.loads(each) for each in found] == vectors
    again = codec.loads(put_together(found, name="e", created=1, model="m", tokens=9))
    expected = codec.loads(whole)
    del expected["usage"]["prompt_tokens_details"]
    assert again == expected


def test_base64_is_an_embedding_as_well() -> None:
    """OpenAI's libraries ask for it."""
    assert embeddings_in(answer(["AACAPw==", "AAAA"]), 2) == [b'"AACAPw=="', b'"AAAA"']
    spaced = b'{"data": [{"object": "embedding", "index": 0, "embedding": [1.0, 2.0]}]}'
    assert embeddings_in(spaced, 1) == [b"[1.0, 2.0]"]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (answer([[1.0]]), 2),
        (answer([[1.0], [2.0]]), 1),
        (answer([[[1.0], [2.0]]]), 1),
        (answer([[1.0], [2.0]]).replace(b'"index":0', b'"index":1'), 2),
        (b'{"error":{}}', 1),
        (b"", 1),
    ],
)
def test_what_is_no_list_of_embeddings_is_left_alone(text: bytes, count: int) -> None:
    """Other numbers of them, another order, one for each token."""
    assert embeddings_in(text, count) is None


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("a", ["a"]),
        (["a", "b"], ["a", "b"]),
        ([1, 2], [[1, 2]]),
        ([[1, 2], [3]], [[1, 2], [3]]),
        ([], None),
        (None, None),
        ([[]], None),
        ([1, "a"], None),
        ([True, False], None),
        ([{"a": 1}], None),
        ({"a": 1}, None),
    ],
)
def test_items_are_texts_or_lists_of_tokens(asked: object, expected: object) -> None:
    """All of one kind."""
    assert items_of({"input": asked}) == expected


def test_usage_is_read_at_the_end() -> None:
    """However long the answer is."""
    assert prompt_tokens_in(answer([[0.5] * 9], tokens=123)) == 123
    assert prompt_tokens_in(b'{"prompt_tokens":5}') is None
    assert prompt_tokens_in(b'{"usage":{}}') is None


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1), st.integers(0, 10_000))
def test_parts_add_up(items: list[str], total: int) -> None:
    """The sum is what the replica said, and no part is less than nothing."""
    parts = tokens_of_each(items, total)
    assert sum(parts) == total
    assert len(parts) == len(items)
    assert min(parts) >= 0


def test_token_lists_are_counted_exactly() -> None:
    """A token is a token."""
    assert tokens_of_each([[1, 2, 3], [4], [5, 6]], 6) == [3, 1, 2]
