"""Under which key an answer is kept: what must be equal so that two requests have the same answer.

Everything that can change the answer is in the key, and what is not known counts as such. All keys are SHA-256 over
one JSON text with sorted names, so that neither the order of members nor spaces make a difference.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from vllm_gateway import codec

_VERSION = 1
"""Of the keys: raise it when the same request means something else than before."""

_WITHOUT_EFFECT = frozenset(
    {
        "stream",
        "user",
        "safety_identifier",
        "prompt_cache_key",
        "metadata",
        "store",
        "priority",
        "request_id",
        "cache_salt",
    }
)
"""Members of a body that say who asks, how urgently and in which form, and nothing of the answer."""

_OF_ONE_FORM = frozenset(
    {
        "logprobs",
        "top_logprobs",
        "prompt_logprobs",
        "echo",
        "return_token_ids",
        "return_tokens_as_token_ids",
        "modalities",
        "audio",
    }
)
"""Members that ask for something which a stream says otherwise than an answer in one piece, or does not say."""

_LARGEST = 2.0**63
"""A whole number beyond 64 bits loses digits when it is read here; a body with one is told apart byte by byte."""
_LARGE = "e+"
"""How a number that is so large is written here, and many texts beside it."""


def answer_key(
    tenant: str, origin: Sequence[str], path: str, fields: Mapping[str, Any], body: bytes, *, is_stream: bool
) -> bytes:
    """Return the key of an answer to the JSON object `fields`, which was read from `body`.

    `origin` says all that is known of who answers. A stream and an answer in one piece have the same key where one can
    be made of the other.
    """
    counted = {name: _plain(value) for name, value in fields.items() if name not in _WITHOUT_EFFECT}
    options = counted.pop("stream_options", None)
    others = _beyond_usage(options)
    if others:
        counted["stream_options"] = others
    form = ("stream" if is_stream else "one piece") if others or not _is_of_both_forms(fields) else ""
    text = _text(["answer", tenant, [*origin], path, form, counted])
    exact = sha256(body).hexdigest() if _LARGE in text and _has_large(counted) else ""
    return sha256(f"{exact} {text}".encode()).digest()


def item_keys(tenant: str, origin: Sequence[str], fields: Mapping[str, Any], items: Sequence[object]) -> list[bytes]:
    """Return the key of each embedding that is asked for: of an item and all that is said beside the items."""
    beside = {name: value for name, value in fields.items() if name not in _WITHOUT_EFFECT and name != "input"}
    shared = digest(["embedding", tenant, [*origin], beside]).hex()
    return [digest([shared, item]) for item in items]


def once_key(tenant: str, name: str, screen: str = "") -> bytes:
    """Return the key under which the answer to a request with an idempotency key of this name is kept.

    `screen` names what answers are held against: what has left once is not to leave again under a stricter one.
    """
    return digest(["once", tenant, name, screen])


def fingerprint(path: str, body: bytes) -> bytes:
    """Return what is the same only for the same body at the same path."""
    return sha256(path.encode() + b"\0" + body).digest()


def digest(parts: Sequence[object]) -> bytes:
    """Return the SHA-256 of a list, however its objects are ordered."""
    return sha256(_text(parts).encode()).digest()


def is_deterministic(fields: Mapping[str, Any]) -> bool:
    """Say whether the same request is to have the same answer: nothing is drawn, or it is drawn with a seed."""
    temperature, seed = fields.get("temperature"), fields.get("seed")
    is_greedy = isinstance(temperature, int | float) and not isinstance(temperature, bool) and temperature == 0
    return is_greedy or (isinstance(seed, int) and not isinstance(seed, bool))


def _text(parts: Sequence[object]) -> str:
    return codec.dumps_spaced([_VERSION, *parts], ensure_ascii=True, sort_keys=True)


def _plain(value: object) -> object:
    """Return a whole number without its point: as a parameter it means the same."""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < _LARGEST else value


def _has_large(value: object) -> bool:
    """Say whether there is a number that may have lost digits."""
    level = [value]
    while level:
        if any(isinstance(each, float) and abs(each) >= _LARGEST for each in level):
            return True
        lists = [each.values() if isinstance(each, dict) else each for each in level if isinstance(each, dict | list)]
        level = [inner for each in lists for inner in each]
    return False


def _is_of_both_forms(fields: Mapping[str, Any]) -> bool:
    return all(fields[name] in (None, False) for name in _OF_ONE_FORM if name in fields)


def _beyond_usage(options: object) -> object:
    """Return what the options of a stream say beside that its usage is to be told."""
    if not isinstance(options, dict):
        return options
    return {name: value for name, value in options.items() if name != "include_usage" and value not in (None, False)}
