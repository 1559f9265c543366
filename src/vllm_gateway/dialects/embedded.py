"""Embeddings one by one: what is asked for, what was answered, and an answer put together from both.

The numbers themselves are never read. They are cut out of the answer as they stand, and put into others as they stand.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from vllm_gateway import codec

_EMBEDDING = re.compile(rb'"embedding":\s?(\[[^\[\]{}"]*\]|"[^"\\]*")')
"""One embedding: a flat list of numbers, or base64. `"object":"embedding"` has its colon elsewhere."""
_INDEX = re.compile(rb'"index":\s?(\d+)')
_TOKENS = re.compile(rb'"prompt_tokens":\s?(\d+)')


def items_of(fields: Mapping[str, Any]) -> list[Any] | None:
    """Return the items of a body, each a text or a list of token ids; None where there is nothing to be told apart."""
    asked = fields.get("input")
    if isinstance(asked, str):
        return [asked]
    if not isinstance(asked, list) or not asked:
        return None
    if all(isinstance(each, str) for each in asked):
        return asked
    if all(_is_tokens(each) for each in asked):
        return asked
    return [asked] if _is_tokens(asked) else None


def embeddings_in(answer: bytes, count: int) -> list[bytes] | None:
    """Return the embeddings of an answer, each as it stands there; None unless there are so many, in order."""
    found = _EMBEDDING.findall(answer)
    if len(found) != count or [int(index) for index in _INDEX.findall(answer)] != list(range(count)):
        return None
    return found


def prompt_tokens_in(answer: bytes) -> int | None:
    """Return how many tokens an answer says it was made of."""
    at = answer.rfind(b'"usage"')
    found = _TOKENS.search(answer, at) if at >= 0 else None
    return int(found[1]) if found else None


def tokens_of_each(items: Sequence[Any], total: int) -> list[int]:
    """Return how many tokens each item has: exactly for lists of token ids, and by their lengths for texts.

    A replica tells the sum only. The parts always add up to it.
    """
    sizes = [len(each.encode()) if isinstance(each, str) else len(each) for each in items]
    whole = sum(sizes)
    if not whole:
        return [total, *[0] * (len(items) - 1)]
    ends = [total * size // whole for size in accumulate(sizes)]
    return [end - begin for begin, end in zip([0, *ends], ends, strict=False)]


def put_together(embeddings: Sequence[bytes], *, name: str, created: int, model: str, tokens: int) -> bytes:
    """Return the answer that holds these embeddings."""
    data = b",".join(
        b'{"index":%d,"object":"embedding","embedding":%b}' % (index, each) for index, each in enumerate(embeddings)
    )
    head = codec.dumps({"id": name, "object": "list", "created": created, "model": model})
    usage = codec.dumps({"prompt_tokens": tokens, "total_tokens": tokens, "completion_tokens": 0})
    return head[:-1] + b',"data":[' + data + b'],"usage":' + usage + b"}"


def _is_tokens(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(type(each) is int for each in value)
