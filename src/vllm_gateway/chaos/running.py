"""The whole run: every scenario before our own gateway, or one after the other before somebody else's."""

import asyncio
import logging
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from vllm_gateway import __version__, codec
from vllm_gateway.chaos.caller import Target
from vllm_gateway.chaos.fleet import LARGE_MODEL, MODEL, SMALL_MODEL, Calm, calm, fleet
from vllm_gateway.chaos.gateways import own
from vllm_gateway.chaos.leaving import Leaving, measure_leaving
from vllm_gateway.chaos.playing import Measures, Played, Scene, play, settle
from vllm_gateway.chaos.report import Report, as_json, table
from vllm_gateway.chaos.scenarios import SCENARIOS, How, Scenario
from vllm_gateway.clock import SystemClock
from vllm_gateway.tasks import Tasks

_AT_ONCE = 3
"""Scenarios that are played at the same time, each with replicas and a gateway of its own; the long one is extra."""
_OURS = Measures()
_PATIENT = Measures(late_s=20.0, hung_s=60.0)
"""For a gateway whose time-outs we do not set."""
_QUICK_FLAP_S = 10.0
_INTERRUPTED = 130
"""The exit status of a program that Ctrl-C has ended."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is to be played, and before which gateway."""

    only: tuple[str, ...] = ()
    """Names of scenarios; none: all of them."""
    against: str | None = None
    """Address of a gateway that is already running; None: our own is started."""
    ports: tuple[int, ...] = ()
    """Ports of the replicas that it was configured with."""
    key: str | None = field(default=None, repr=False)
    """What it asks callers for."""
    json: str | None = None
    """File for the report as JSON; `-`: it is printed in place of the table."""
    quick: bool = False
    """Let the primary flap for ten seconds only."""


class CannotPlay(Exception):
    """The run cannot begin; `str()` of it is one sentence that says why."""


def run(wishes: Wishes) -> int:
    """Play, print the report, and return the exit status: 0 when every scenario passed."""
    loud = logging.getLogger("vllm_gateway")
    level = loud.level
    loud.setLevel(logging.CRITICAL)  # what breaks is broken on purpose
    try:
        _check_writable(wishes.json)
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            report = runner.run(_play_all(wishes))
    except CannotPlay as problem:
        sys.stderr.write(f"vllm-gateway chaos: {problem}\n")
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED
    finally:
        loud.setLevel(level)
    _tell(report, wishes.json)
    return 0 if report.is_passed else 1


def _check_writable(json: str | None) -> None:
    """Find out before the run whether its report can be written."""
    if json in {None, "-"}:
        return
    try:
        with Path(json or "").open("ab"):
            pass
    except OSError as error:
        raise CannotPlay(f"{json} cannot be written: {error.strerror}. Choose another --json.") from error


def chosen(only: Sequence[str]) -> list[Scenario]:
    """Return the scenarios of these names, or all of them; raise `ValueError` for a name that there is not."""
    known = {each.name: each for each in SCENARIOS}
    for name in only:
        if name not in known:
            raise ValueError(f"There is no scenario '{name}'; there are {', '.join(known)}.")
    return [each for each in SCENARIOS if not only or each.name in only]


async def _play_all(wishes: Wishes) -> Report:
    clock = SystemClock()
    began = clock.now()
    async with calm() as undisturbed:
        if wishes.against is None:
            played, leaving = await _play_own(wishes, undisturbed)
            gateway = f"vllm-gateway {__version__}"
        else:
            played, leaving = await _play_against(wishes, wishes.against, undisturbed)
            gateway = wishes.against
    return Report(gateway, tuple(played), leaving, clock.now() - began)


async def _play_own(wishes: Wishes, undisturbed: Calm) -> tuple[list[Played], Leaving | None]:
    """Play several scenarios at once, each before a gateway of its own."""
    room = asyncio.Semaphore(_AT_ONCE)
    measures = _measures(_OURS, wishes)

    async def play_one(scenario: Scenario) -> Played:
        async with AsyncExitStack() as stack:
            if scenario.how is not How.FLAPPING:
                await stack.enter_async_context(room)
            replicas = await stack.enter_async_context(fleet(undisturbed))
            target = await stack.enter_async_context(own(replicas))
            played = await play(scenario, Scene(replicas, target, measures))
            _show_progress(played)
            return played

    tasks = Tasks("chaos")
    try:
        running = [tasks.start(play_one(each), name=each.name) for each in chosen(wishes.only)]
        played = list(await asyncio.gather(*running))
    finally:
        await tasks.close()
    if wishes.only:
        return played, None
    async with fleet(undisturbed) as replicas, own(replicas) as target:
        return played, await _leaving(Scene(replicas, target, measures))


async def _play_against(wishes: Wishes, url: str, undisturbed: Calm) -> tuple[list[Played], Leaving | None]:
    """Play one scenario after the other, because the gateway has only these replicas."""
    measures = _measures(_PATIENT, wishes)
    async with AsyncExitStack() as stack:
        try:
            replicas = await stack.enter_async_context(fleet(undisturbed, wishes.ports))
        except OSError as error:
            told = error.strerror or error
            raise CannotPlay(f"A replica cannot listen on its port: {told}. Choose other --replica-ports.") from error
        sys.stderr.write(configuration([sim.url for sim in replicas.members]))
        scene = Scene(replicas, Target.at(url, wishes.key), measures)
        if not await settle(scene):
            raise CannotPlay(
                f"{url} does not answer for model '{MODEL}'. Is it running, and configured with the replicas above?"
            )
        played = []
        for scenario in chosen(wishes.only):
            played.append(await play(scenario, scene))
            _show_progress(played[-1])
        leaving = None if wishes.only else await _leaving(scene)
        return played, leaving


async def _leaving(scene: Scene) -> Leaving | None:
    return await measure_leaving(scene) if await settle(scene) else None


def _measures(measures: Measures, wishes: Wishes) -> Measures:
    return replace(measures, flap_s=_QUICK_FLAP_S) if wishes.quick else measures


def configuration(urls: Sequence[str]) -> str:
    """Return what a gateway must be configured with before it is tried."""
    lines = [
        "The gateway should have these replicas, with short time-outs (first token and idle 1 s) if it has any:",
        *(f"  {url}/v1  models {MODEL} and {SMALL_MODEL}" for url in urls[:2]),
        *(f"  {url}/v1  model {LARGE_MODEL}, larger context, fallback of {SMALL_MODEL}" for url in urls[2:]),
    ]
    return "\n".join(lines) + "\n"


def _show_progress(played: Played) -> None:
    sys.stderr.write(f"  {played.scenario.name}: {played.verdict.grade.label}\n")
    sys.stderr.flush()


def _tell(report: Report, json: str | None) -> None:
    text = codec.dumps_pretty(as_json(report))
    if json == "-":
        sys.stdout.write(text.decode())
        return
    if json is not None:
        Path(json).write_bytes(text)
    sys.stdout.write(table(report))


def _loop_factory() -> "Callable[[], asyncio.AbstractEventLoop] | None":
    if sys.platform == "win32":
        return None
    import uvloop  # noqa: PLC0415 - there is none on Windows

    return uvloop.new_event_loop
