"""What `vllm-gateway bench` says of a target: an open loop of streams at a pace that the client keeps up with easily.

Its client takes some 55 us of CPU for an answer in one piece, about 10,000 a second; nginx relays five times as many.
What asks as fast as it can is therefore `benchmarks.load`, which knows its one request and parses no answer; this is
for the times that a caller sees.
"""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks import canned
from vllm_gateway import codec

RATE_PER_S = 100
TOKENS = 100
GAP_MS = 20
TIMEOUT_S = 15.0
"""After which an answer is given up, so that a target that cannot keep up holds nobody for long."""
_PROMPT = "Explain how a relay hands on a streamed answer to many callers at once, and what it must not do.\n"


@dataclass(frozen=True, slots=True)
class Seen:
    """The times that callers see, and how many of them got their answer."""

    ttft_p50_ms: float | None
    ttft_p99_ms: float | None
    itl_p99_ms: float | None
    answered: int
    failed: int


NOTHING = Seen(None, None, None, 0, 0)


def ask(port: int, duration_s: float, folder: Path) -> Seen:
    """Ask for 100 streams a second, each of 100 tokens 20 ms apart: 200 at once, 10,000 events a second."""
    prompts = folder / "prompt.txt"
    prompts.write_text(_PROMPT)
    command = [
        *(sys.executable, "-m", "vllm_gateway", "bench", "--url", f"http://127.0.0.1:{port}"),
        *("--api-key", canned.KEY, "--model", canned.MODEL, "--timeout", str(TIMEOUT_S)),
        *("--prompts", str(prompts), "--max-tokens", str(TOKENS), "--body", f'{{"seed": {GAP_MS}}}'),
        *("--rate", str(RATE_PER_S), "--arrivals", "constant", "--duration", str(duration_s)),
        *("--json", "--quiet", "--no-plots", "--out", str(folder / "reports")),
    ]
    limit_s = duration_s + 4 * TIMEOUT_S
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=limit_s, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return NOTHING
    return read(done.stdout)


def read(result: bytes) -> Seen:
    """Read the result; what is no result means that nobody was answered."""
    try:
        told = codec.loads(result)
    except codec.MalformedJson:
        return NOTHING
    return Seen(
        ttft_p50_ms=told.get("median_ttft_ms"),
        ttft_p99_ms=told.get("p99_ttft_ms"),
        itl_p99_ms=told.get("p99_itl_ms"),
        answered=told["completed"],
        failed=told["failed"],
    )
