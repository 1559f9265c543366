"""How every figure is computed. Tools differ in this, so every report says it."""

FORMULAS = {
    "start": (
        "Closed loop: when the request is sent. Open loop: when it should have been sent, whatever the client does "
        "meanwhile (no coordinated omission)."
    ),
    "output": (
        "An event of a stream that carries text or a part of a tool call, also where the text is held back. The "
        "announcement of the role is none, nor are the usage and [DONE]."
    ),
    "TTFB": "first byte of the answer - start",
    "TTFT": "first output - start, of streams",
    "ITL": (
        "time between two neighbouring outputs of a stream, pooled over all requests; outputs that are read together "
        "are 0 apart"
    ),
    "TPOT": "(E2E - TTFT) / (output tokens - 1), of each stream with at least two tokens",
    "E2E": "last output - start; the end of the answer where it comes in one piece",
    "queue": "how long the replica let a request wait, where it tells (vLLM: --enable-per-request-metrics)",
    "tokens": "as the server's usage tells; answers without it are not in the figures of tokens and TPOT",
    "requests/s, tokens/s": "of good answers / time from the start to the last output; of several rounds the sums",
    "goodput": (
        "answers that are right and within every limit of --goodput / the same time; the itl of an answer is its mean"
    ),
    "percentiles": "linear between neighbours, of good answers only; NN % of the values are at most pNN",
    "added": (
        "figure through the gateway - figure direct, of pairs of requests that are at the same place of the same "
        "round; the ITL of a request is its mean; 95 % interval: bootstrap over whole rounds"
    ),
    "failed": (
        "no answer, another status than 200, or a stream without finish reason and [DONE], with an error event, or "
        "without output"
    ),
}
"""By the name of what they define."""
