"""`vllm-gateway bench`."""

from cyclopts import CycloptsError

from vllm_gateway.bench.wishes import Wishes


def bench(*, wishes: Wishes | None = None) -> int:
    """Put load on a server and tell how fast and how well it answers.

    Without arguments: 10 requests, one after the other, to the gateway on this machine.

    For example, 32 callers for a minute: vllm-gateway bench --model m --duration 60 --concurrency 32

    20 requests per second, as independent callers send them, and what is good enough:
    vllm-gateway bench --rate 20 --requests 2000 --synthetic 512,128 --goodput ttft:200 tpot:50

    What the gateway adds: vllm-gateway bench --direct http://127.0.0.1:8000 --requests 500

    The highest rate that keeps the promise: vllm-gateway bench --sweep 1:64 --duration 20 --goodput ttft:500

    In a pipeline: vllm-gateway bench --requests 200 --vs old/result.json --fail-if 'change.p99_ttft_ms > 10'

    Conditions name the figures of result.json: plain those of the run, with delta. what the gateway adds, with direct.
    the replica's own, with change. the percent since the run of --vs.

    TTFT is the time to the first token, ITL the time between two outputs of a stream, TPOT = (E2E - TTFT) / (output
    tokens - 1), E2E the time to the last output. An open loop counts from the moment at which a request should have
    been sent. Tokens are the server's own count. Every report has all formulas.

    Exit status 0: all went well. 1: a condition of --fail-if holds, a request failed unexpectedly, or nothing could
    be measured. 2: a mistake in the flags.

    Returns:
        The exit status.
    """
    from vllm_gateway.bench.plan import make_plan  # noqa: PLC0415 - keeps --help quick
    from vllm_gateway.bench.running import run  # noqa: PLC0415 - as above

    try:
        plan = make_plan(wishes or Wishes())
    except ValueError as mistake:
        raise CycloptsError(msg=str(mistake)) from mistake
    return run(plan)
