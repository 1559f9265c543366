"""`POST /v1/embeddings`, `/v1/rerank` and `/v1/score`: unit vectors made of the tokens, the same on every machine."""

import asyncio
import base64
import math
import struct
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from vllm_gateway import codec
from vllm_gateway.sim.api import fields, wishes
from vllm_gateway.sim.api.answering import Json, new_id
from vllm_gateway.sim.api.problems import Problem
from vllm_gateway.sim.call import Call
from vllm_gateway.sim.engine.model import mix
from vllm_gateway.sim.replica import Replica

Vector = tuple[float, ...]


class EmbeddingFields(BaseModel):
    """The body of an embeddings request."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    model: str | None = None
    input: fields.Prompts
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = None


class ScoreFields(BaseModel):
    """The body of a score request."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    model: str | None = None
    text_1: str | list[str]
    text_2: str | list[str]


class RerankFields(BaseModel):
    """The body of a rerank request."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    model: str | None = None
    query: str
    documents: list[str | dict[str, Any]]
    top_n: int | None = None


def embed(replica: Replica, call: Call) -> None:
    """Answer an embeddings request."""
    body = fields.read(EmbeddingFields, call.seen.body)
    model = replica.check_embedding_model(body.model)
    prompts = _prompts(replica, body.input)
    size = replica.settings.embedding_size
    if body.dimensions is not None and not replica.settings.matryoshka:
        raise Problem(
            f"Model '{model}' does not support Matryoshka embeddings; dimensions must be unset "
            f"(received dimensions={body.dimensions})."
        )
    if body.dimensions is not None and not 0 < body.dimensions <= size:
        raise Problem(f"dimensions must be between 1 and {size}, got {body.dimensions}.")

    def reply() -> None:
        vectors = [_unit(vector(model, prompt, size)[: body.dimensions]) for prompt in prompts]
        data = [
            {"index": index, "object": "embedding", "embedding": _shown(one, body.encoding_format)}
            for index, one in enumerate(vectors)
        ]
        call.reply(200, codec.dumps(_listed("embd", replica, model, data, prompts)))

    call.work = _Later(replica, prompts, reply)


def score(replica: Replica, call: Call) -> None:
    """Answer a score request: how alike two texts are, or one text and each of several."""
    body = fields.read(ScoreFields, call.seen.body)
    model = replica.check_embedding_model(body.model)
    seconds = [body.text_2] if isinstance(body.text_2, str) else body.text_2
    firsts = [body.text_1] if isinstance(body.text_1, str) else body.text_1
    firsts = firsts * len(seconds) if len(firsts) == 1 else firsts
    if len(firsts) != len(seconds):
        raise Problem("Input lengths must be either 1:1, 1:N or N:N")
    pairs = [*zip(_prompts(replica, firsts), _prompts(replica, seconds), strict=True)]
    prompts = [[*first, *second] for first, second in pairs]

    def reply() -> None:
        data = [
            {"index": index, "object": "score", "score": _alike(replica, model, *pair)}
            for index, pair in enumerate(pairs)
        ]
        call.reply(200, codec.dumps(_listed("score", replica, model, data, prompts)))

    call.work = _Later(replica, prompts, reply)


def rerank(replica: Replica, call: Call) -> None:
    """Answer a rerank request: the documents, the one most like the query first."""
    body = fields.read(RerankFields, call.seen.body)
    model = replica.check_embedding_model(body.model)
    texts = [document if isinstance(document, str) else str(document.get("text", "")) for document in body.documents]
    query = _prompts(replica, body.query)[0]
    documents = _prompts(replica, texts)
    prompts = [[*query, *document] for document in documents]

    def reply() -> None:
        results = [
            {
                "index": index,
                "document": {"text": text, "multi_modal": None},
                "relevance_score": _alike(replica, model, query, documents[index]),
            }
            for index, text in enumerate(texts)
        ]
        results.sort(key=lambda result: -float(str(result["relevance_score"])))
        count = sum(map(len, prompts))
        usage = {"prompt_tokens": count, "total_tokens": count}
        told = {"id": f"score-{new_id()}", "model": model, "usage": usage, "results": results[: body.top_n or None]}
        call.reply(200, codec.dumps(told))

    call.work = _Later(replica, prompts, reply)


def vector(model: str, ids: Sequence[int], size: int) -> Vector:
    """Return the embedding of `ids`: texts that share words are near each other."""
    total = [0.0] * size
    for token, times in Counter(ids).items():
        weight = math.sqrt(times)
        total = [sum_ + weight * part for sum_, part in zip(total, _direction(model, token, size), strict=True)]
    return _unit(total)


@lru_cache(maxsize=8192)
def _direction(model: str, token: int, size: int) -> Vector:
    """Return the direction that one token pulls a text into."""
    state = sum(model.encode()) * 1_000_003 + token
    return tuple(mix(state * size + at) / 2**63 - 1 for at in range(size))


def _unit(numbers: Sequence[float]) -> Vector:
    """Return `numbers` with length 1, each as exact as four bytes can say it."""
    length = math.sqrt(sum(number * number for number in numbers)) or 1.0
    packed = struct.pack(f"<{len(numbers)}f", *(number / length for number in numbers))
    return struct.unpack(f"<{len(numbers)}f", packed)


def _shown(numbers: Vector, encoding: str) -> Vector | str:
    if encoding == "float":
        return numbers
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


def _alike(replica: Replica, model: str, first: Sequence[int], second: Sequence[int]) -> float:
    size = replica.settings.embedding_size
    pair = zip(vector(model, first, size), vector(model, second, size), strict=True)
    return sum(one * other for one, other in pair)


def _prompts(replica: Replica, given: fields.Prompts) -> list[list[int]]:
    prompts = fields.token_ids(given)
    for ids in prompts:
        wishes.room_for_answer(None, len(ids), replica.settings.max_model_len)
    return prompts


def _listed(kind: str, replica: Replica, model: str, data: list[Json], prompts: Sequence[Sequence[int]]) -> Json:
    count = sum(map(len, prompts))
    return {
        "id": f"{kind}-{new_id()}",
        "object": "list",
        "created": int(replica.clock.wall()),
        "model": model,
        "data": data,
        "usage": {
            "prompt_tokens": count,
            "total_tokens": count,
            "completion_tokens": 0,
            "prompt_tokens_details": None,
            "completion_tokens_details": None,
        },
    }


class _Later:
    """A reply that takes its time, unless the caller leaves before."""

    def __init__(self, replica: Replica, prompts: Sequence[Sequence[int]], reply: Callable[[], None]) -> None:
        settings = replica.settings
        count = sum(map(len, prompts))
        replica.meters.prompt_tokens += count
        delay_ms = settings.ttft_ms + settings.ttft_ms_per_1k * count / 1000
        self._timer = asyncio.get_running_loop().call_later(delay_ms / 1000, reply)

    def stop(self) -> None:
        """Reply nothing."""
        self._timer.cancel()

    def failed(self, message: str) -> None:
        """Nothing has begun that could fail."""
