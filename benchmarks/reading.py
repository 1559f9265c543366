"""What reading the body of a request costs, by each way that was thought of: `python -m benchmarks.reading`.

`orjson` is what the gateway does: the whole body as plain values, which the rules look through. `msgspec` decodes the
members that the gateway decides by into a typed struct and skips the rest; it takes part when it is installed, which
it need not be. `scanner` walks the body by a regular expression for strings and brackets, and reads the three members
at its top; it checks nothing else, so whatever is no JSON would reach a replica.
"""

import importlib
import importlib.util
import re
import sys
import time
from collections.abc import Callable
from typing import Any

from vllm_gateway import codec

SIZES_BYTES = (700, 8_000, 100_000, 1_000_000)
ROUNDS = 15
_ROUND_S = 0.02
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[{}\[\]]')
_MEMBERS = frozenset({b'"model"', b'"stream"', b'"max_tokens"'})
_TEXT = "Tell me what a relay does with an answer, and say \\u201cwhy\\u201d it may not wait for its end.\\n"


def body(size_bytes: int) -> bytes:
    """Return a conversation of about so many bytes, its settings behind it as the clients' libraries send them."""
    turns = max(1, size_bytes // 700)
    text = _TEXT * max(1, (size_bytes // turns - 60) // len(_TEXT))
    each = '{"role":"%s","content":"%s"}'
    said = ",".join(each % (("user", "assistant")[turn % 2], text) for turn in range(turns))
    return f'{{"messages":[{said}],"model":"a-model","temperature":0.7,"max_tokens":256,"stream":true}}'.encode()


def scan(data: bytes) -> dict[bytes, bytes]:
    """Return the three members as they are written, found at the top of an object."""
    found, depth = {}, 0
    for token in _TOKEN.finditer(data):
        text = token[0]
        if text in b"{[":
            depth += 1
        elif text in b"}]":
            depth -= 1
        elif depth == 1 and text in _MEMBERS and data[token.end() : token.end() + 1] == b":":
            end = data.find(b",", token.end())
            found[text] = data[token.end() + 1 : end]
    return found


def typed() -> Callable[[bytes], object] | None:
    """Return msgspec's decoder of what is decided by; None when it is not installed."""
    if importlib.util.find_spec("msgspec") is None:
        return None
    msgspec: Any = importlib.import_module("msgspec")
    members = [("model", str | None, None), ("stream", bool | None, None), ("max_tokens", int | None, None)]
    struct = msgspec.defstruct("Decided", members)
    decode: Callable[[bytes], object] = msgspec.json.Decoder(struct).decode
    return decode


def best_us(read: Callable[[bytes], object], data: bytes) -> float:
    """Return the time of one call in the best of the rounds, in microseconds."""
    times = 1
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(times):
            read(data)
        took = time.perf_counter() - began
        best = min(best, took / times)
        times = max(1, int(_ROUND_S / best))
    return best * 1e6


def main() -> int:
    """Measure, and print the table."""
    ways: dict[str, Callable[[bytes], object] | None] = {"orjson": codec.loads, "msgspec": typed(), "scanner": scan}
    there = {name: read for name, read in ways.items() if read is not None}
    print("| bytes | " + " | ".join(f"{name}, us" for name in there) + " |")
    print("|---:|" + "---:|" * len(there))
    for size_bytes in SIZES_BYTES:
        data = body(size_bytes)
        cells = [f"{best_us(read, data):,.1f}" for read in there.values()]
        print(f"| {len(data):,} | " + " | ".join(cells) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
