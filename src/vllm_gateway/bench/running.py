"""A whole run: measure, show, write, judge."""

import asyncio
import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

from vllm_gateway import codec
from vllm_gateway.bench.findings import Findings
from vllm_gateway.bench.load.caller import Nobody
from vllm_gateway.bench.measuring import measure
from vllm_gateway.bench.output.console import told
from vllm_gateway.bench.output.folder import NO_PLOTS, can_draw, make_folder, write
from vllm_gateway.bench.output.result_json import result
from vllm_gateway.bench.output.view import View
from vllm_gateway.bench.plan import Plan
from vllm_gateway.bench.preparing import CannotMeasure
from vllm_gateway.bench.words import load_in_words
from vllm_gateway.clock import SystemClock

_INTERRUPTED = 130
"""The exit status of a program that Ctrl-C has ended."""


def run(plan: Plan) -> int:
    """Do what is planned, print and write what was found, and return the exit status."""
    output = plan.wishes.output
    try:
        folder = make_folder(output.out, SystemClock.wall())
    except OSError as problem:
        return _complain(f"{output.out} cannot be written to: {problem.strerror}. Choose another --out.")
    try:
        found = _measured(plan)
    except CannotMeasure as problem:
        folder.rmdir()
        return _complain(str(problem))
    except KeyboardInterrupt:
        folder.rmdir()
        return _INTERRUPTED
    with_plots = output.plots and can_draw()
    written = write(found, folder, with_plots=with_plots)
    if output.plots and not with_plots:
        sys.stderr.write(f"vllm-gateway bench: {NO_PLOTS}\n")
    _print(codec.dumps_pretty(result(found)) if output.json else told(found, written).encode())
    return 0 if found.is_passed else 1


def _print(text: bytes) -> None:
    """Write all of it: where Python does not buffer, a write to a full pipe may end early and lose the rest."""
    sys.stdout.flush()
    left = memoryview(text)
    while left:
        left = left[sys.stdout.buffer.write(left) :]
    sys.stdout.flush()


def _complain(sentence: str) -> int:
    sys.stderr.write(f"vllm-gateway bench: {sentence}\n")
    return 1


def _measured(plan: Plan) -> Findings:
    is_shown = sys.stderr.isatty() and not plan.wishes.output.quiet
    view = View(f"{plan.target.url}: {load_in_words(plan)}")
    with (
        asyncio.Runner(loop_factory=_loop_factory()) as runner,
        view.live(sys.stderr) if is_shown else nullcontext(),
        _collected_seldom(),
    ):
        return runner.run(measure(plan, view if is_shown else Nobody()))


@contextmanager
def _collected_seldom() -> Iterator[None]:
    """Look for garbage seldom: what is measured is kept anyway, and a long look would be measured as well."""
    thresholds = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


def _loop_factory() -> "Callable[[], asyncio.AbstractEventLoop] | None":
    if sys.platform == "win32":
        return None
    import uvloop  # noqa: PLC0415 - there is none on Windows

    return uvloop.new_event_loop
