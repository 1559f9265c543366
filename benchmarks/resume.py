"""What it costs that a stream could go on elsewhere, while nothing fails.

    python -m benchmarks.resume        CPU for each event, and memory for each open stream

Nothing else should run beside it.
"""

import gc
import statistics
import sys
import time
import tracemalloc

from vllm_gateway import codec
from vllm_gateway.dialects.openai import CHUNKS
from vllm_gateway.dialects.reading import understand
from vllm_gateway.dialects.recovery.recovery import ChunkRecovery
from vllm_gateway.dialects.recovery.safety import ways_of
from vllm_gateway.exchange import Asked
from vllm_gateway.settings.fleet import Resume

EVENTS = (250, 1000)
"""An answer whose events are all kept as they came, and one that is folded."""
REPEATS = 30
STREAMS = 50
LENGTHS = (64, 256, 1024, 4096)
WORDS = ("the", " quick", " brown", " fox", " jumps", " over", " lazy", " dogs", ".", " Grüße", " 東京")
HEAD = (
    b'data: {"id":"chatcmpl-0123456789abcdef","object":"chat.completion.chunk","created":1760000000,'
    b'"model":"Qwen/Qwen2.5-7B-Instruct","choices":[{"index":0,"delta":{"content":'
)


def event(number: int, *, has_ids: bool) -> bytes:
    """Return one event as vLLM writes it."""
    ids = b',"token_ids":[%d]' % (number * 7919 % 150_000) if has_ids else b""
    word = codec.dumps(WORDS[number % len(WORDS)])
    return HEAD + word + b'},"logprobs":null,"finish_reason":null' + ids + b"}]}\n\n"


def first_event(prompt_tokens: int) -> bytes:
    """Return the event that says who speaks, with the ids of the prompt."""
    ids = codec.dumps(list(range(prompt_tokens)))
    said = b'{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}'
    return HEAD.partition(b'"choices"')[0] + b'"choices":[' + said + b'],"prompt_token_ids":' + ids + b"}\n\n"


def asked() -> tuple[Asked, bytes]:
    """Return a plain streamed chat, and its body."""
    body = b'{"model":"m","messages":[{"role":"user","content":"Hello"}],"stream":true,"max_tokens":100000}'
    return understand(codec.loads(body), body, "/v1/chat/completions", marks=CHUNKS), body


def recovery() -> ChunkRecovery:
    """Return what a stream on a route of two replicas has."""
    request, body = asked()
    return ChunkRecovery(request, body, ways_of(request, Resume()), Resume(), max_model_len=131_072)


def cost_us(count: int, *, has_recovery: bool) -> float:
    """Return the CPU time of one event of so many, each read by itself, in microseconds."""
    events = [event(number, has_ids=has_recovery) for number in range(count)]
    took = []
    for _ in range(REPEATS):
        watch = asked()[0].new_watch()
        before = recovery() if has_recovery else None
        if before is not None:
            watch.feed(before.feed(first_event(20)))
        began = time.process_time()
        if before is None:
            for each in events:
                watch.feed(each)
        else:
            for each in events:
                watch.feed(before.feed(each))
        took.append((time.process_time() - began) / count * 1e6)
    return statistics.median(took)


def memory_bytes(tokens: int) -> float:
    """Return what is kept of a stream with so many tokens."""
    gc.collect()
    tracemalloc.start()
    streams = []
    for stream in range(STREAMS):
        one = recovery()
        one.feed(first_event(200))
        for number in range(tokens):
            one.feed(event(number + stream, has_ids=True))
        streams.append(one)
    gc.collect()
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return kept / len(streams)


def main() -> None:
    """Measure and print."""
    for count in EVENTS:
        plain, whole = cost_us(count, has_recovery=False), cost_us(count, has_recovery=True)
        sys.stdout.write(f"one event of {count}: {plain:.2f} us watched, {whole:.2f} us when it may go on elsewhere\n")
    for tokens in LENGTHS:
        sys.stdout.write(f"one open stream of {tokens} tokens: {memory_bytes(tokens) / 1024:.1f} KiB kept\n")


if __name__ == "__main__":
    main()
