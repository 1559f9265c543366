"""A program that takes the arguments of `vllm serve` and runs the embedded engine: `python vllm_like.py MODEL ...`.

A model called `broken` ends at once.
"""

import argparse
import os
import sys

from vllm_gateway.sim import SimSettings, run


def main() -> int:
    """Run it until it is told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--served-model-name", required=True)
    parser.add_argument("--max-model-len", type=int, default=4096)
    parser.add_argument("--tensor-parallel-size", type=int, default=1)
    parser.add_argument("--enable-sleep-mode", action="store_true")
    parser.add_argument("--gpu-memory-utilization", type=float, default=0.9)
    parser.add_argument("--enable-request-id-headers", action="store_true")
    parser.add_argument("--enable-prompt-tokens-details", action="store_true")
    given = parser.parse_args()
    print(f"loading {given.model} on {os.environ.get('CUDA_VISIBLE_DEVICES', 'cpu')} as {os.getpid()}", flush=True)  # noqa: T201, TID251 - what an engine says of itself
    if given.model == "broken":
        print("no such model", file=sys.stderr)  # noqa: T201 - as above
        return 3
    names = (given.served_model_name,)
    return run(
        SimSettings(
            host=given.host,
            port=given.port,
            models=names,
            embedding_models=(),
            max_model_len=given.max_model_len,
            ttft_ms=0,
            ttft_ms_per_1k=0,
            itl_ms=1,
            dev_mode=os.environ.get("VLLM_SERVER_DEV_MODE") == "1",  # noqa: TID251 - as vLLM reads it
        )
    )


if __name__ == "__main__":
    raise SystemExit(main())
