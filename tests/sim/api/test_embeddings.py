"""Embeddings, scores and ranks."""

import base64
import math
import struct
from typing import Any

import httpx2
import pytest

from tests.sim.quick import quick
from tests.waiting import until
from vllm_gateway.sim.api.embeddings import vector
from vllm_gateway.sim.engine import tokens

EMBED = "/v1/embeddings"


def alike(one: list[float], other: list[float]) -> float:
    """Return how alike two vectors are."""
    return sum(a * b for a, b in zip(one, other, strict=True))


async def test_vectors_have_length_one_and_are_the_same_every_time() -> None:
    """On every machine and in every form of the input."""
    async with quick() as one, quick() as other:
        first = (await one.post(EMBED, input="Hello house"))["data"][0]["embedding"]
        again = (await other.post(EMBED, input=["x", "Hello house"]))["data"][1]["embedding"]
        by_ids = (await other.post(EMBED, input=tokens.encode("Hello house")))["data"][0]["embedding"]
    assert first == again == by_ids
    assert len(first) == 256
    assert math.isclose(alike(first, first), 1, abs_tol=1e-5)


async def test_base64_says_the_same_numbers() -> None:
    """Packed as little-endian floats of four bytes, as clients unpack them."""
    async with quick() as sim:
        floats = (await sim.post(EMBED, input="Hello"))["data"][0]["embedding"]
        packed = (await sim.post(EMBED, input="Hello", encoding_format="base64"))["data"][0]["embedding"]
    assert list(struct.unpack("<256f", base64.b64decode(packed))) == floats


def test_texts_that_share_words_are_near_each_other() -> None:
    """Which is all that a test of a ranking needs."""
    query, near, far = (
        list(vector("m", tokens.encode(text), 256))
        for text in ("The old house by the river", "An old house near a river", "Twelve angry musicians")
    )
    assert alike(query, near) > 0.3 > abs(alike(query, far))


async def test_dimensions_are_refused_unless_the_model_is_made_for_it() -> None:
    """A Matryoshka model gives the first numbers, of length one again."""
    async with quick() as plain, quick(matryoshka=True) as nested:
        status, error = await plain.refused(EMBED, input="Hello", dimensions=8)
        assert (status, "does not support Matryoshka" in error["error"]["message"]) == (400, True)
        short = (await nested.post(EMBED, input="Hello", dimensions=8))["data"][0]["embedding"]
        assert len(short) == 8
        assert math.isclose(alike(short, short), 1, abs_tol=1e-5)
        assert (await nested.refused(EMBED, input="Hello", dimensions=257))[0] == 400


async def test_a_ranking_has_the_likest_first() -> None:
    """With scores in falling order, as many as wanted, and the documents' places."""
    async with quick() as sim:
        documents = ["Twelve angry musicians", "An old house near a river", {"text": "Nothing"}]
        ranked = await sim.post("/v1/rerank", query="The old house by the river", documents=documents, top_n=2)
    assert ranked["results"][0]["index"] == 1
    assert len(ranked["results"]) == 2
    assert ranked["results"][0]["relevance_score"] > ranked["results"][1]["relevance_score"]


async def test_scores_compare_pairs() -> None:
    """One with many, or many with as many; a text is like itself."""
    async with quick() as sim:
        one = await sim.post("/v1/score", text_1="Hello", text_2=["Hello", "house"])
        assert math.isclose(one["data"][0]["score"], 1, abs_tol=1e-5)
        pairs = await sim.post("/score", text_1=["Hello", "house"], text_2=["Hello", "house"])
        assert len(pairs["data"]) == 2
        assert (await sim.refused("/v1/score", text_1=["a", "b"], text_2=["a", "b", "c"]))[0] == 400


@pytest.mark.parametrize(
    "body",
    [{"input": []}, {"input": [10**6]}, {"input": [1] * 5000}, {"input": 5}, {"input": "x", "model": "sim-small"}],
)
async def test_what_cannot_be_embedded_is_refused(body: dict[str, Any]) -> None:
    """An empty, an unknown, a long or a wrong input, and a model that does not embed."""
    async with quick() as sim:
        assert (await sim.refused(EMBED, **body))[0] in {400, 404}


async def test_a_caller_who_leaves_is_not_answered() -> None:
    """Embedding takes time, and stops like generating."""
    async with quick(ttft_ms=5000) as sim:
        with pytest.raises(httpx2.ReadTimeout):
            await sim.http.post(EMBED, json={"input": "Hello"}, timeout=0.05)
        await until(lambda: sim.sim.log.requests[-1].gone_at is not None)
        assert sim.sim.log.requests[-1].status is None
