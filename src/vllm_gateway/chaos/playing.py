"""Plays one scenario: breaks the replicas, asks, and judges every answer."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle, islice

from vllm_gateway.chaos import answer, evidence, judging
from vllm_gateway.chaos.caller import Heard, Target, ask
from vllm_gateway.chaos.fleet import LARGE_MODEL, MODEL, SMALL_MODEL, Fleet
from vllm_gateway.chaos.judging import Expected, Grade, Refusal, Verdict
from vllm_gateway.chaos.questions import CHAT_STREAM, CHAT_WHOLE, COMPLETION_STREAM, Question, question, too_long
from vllm_gateway.chaos.scenarios import SCENARIOS, How, Scenario
from vllm_gateway.tasks import Tasks

_EVERY = 5
_SEARCHED = 12
"""Questions that are looked at for an answer which can be cut inside a character."""
_CHARACTER_SHARE = 0.5
"""Such a cut comes somewhat behind its place: where the next character of several bytes is."""
_MARGIN_CHARACTERS = 20
_FLAP_PACE_S = 0.12
_FLAP_ANSWER_TOKENS = 64
"""Longer answers, so that a crash always finds some."""
_WITHOUT_MEETING = frozenset({How.TOO_LONG, How.FLAPPING})
"""How scenarios are played in which no single request meets a fault."""
_SETTLING_CALLERS = 4
_SETTLING_PAUSE_S = 0.5


@dataclass(frozen=True, slots=True)
class Measures:
    """How much is asked, and how long it may take."""

    late_s: float = 4.0
    """A right answer that takes longer is late."""
    hung_s: float = 12.0
    """A caller waits so long."""
    flap_s: float = 60.0
    hits: int = 12
    """Requests that meet a fault where every fifth does."""
    asked: int = 40
    """Requests where one replica is broken all the time."""
    settling: int = 30
    """How often it is looked, twice a second or less, whether all is well again."""
    pace_s: float = 0.08
    """Between two requests; an answer takes about three times that, so that several run at once."""


@dataclass(slots=True)
class Scene:
    """What a scenario is played with."""

    fleet: Fleet
    target: Target
    measures: Measures


@dataclass(slots=True)
class Planned:
    """One request that is going to be sent."""

    question: Question
    expected: Expected | Refusal
    fault: str | None = None

    @property
    def tokens(self) -> int:
        """What its caller is to be charged."""
        return 0 if isinstance(self.expected, Refusal) else sum(self.expected.usage)

    def is_ascii_behind(self, share: float) -> bool:
        """Say whether so far into the answer, or a little further, no character of several bytes is left."""
        text = "" if isinstance(self.expected, Refusal) else self.expected.text
        return text[round(len(text) * share) + _MARGIN_CHARACTERS :].isascii()


@dataclass(slots=True)
class Played:
    """What came of a scenario."""

    scenario: Scenario
    verdicts: list[Verdict] = field(default_factory=list)
    asked: int = 0
    attempts: int = 0
    """Of all replicas together."""
    tokens: int = 0
    """Tokens that their callers are to be charged, when all is answered."""
    met: int = 0
    """Requests that a fault happened to."""
    silences_s: list[float] = field(default_factory=list)
    """For how long callers heard nothing, of each fault."""
    is_settled: bool = True
    """The gateway answered properly before anything was broken."""

    @property
    def verdict(self) -> Verdict:
        """The worst of all."""
        if not self.is_settled:
            return Verdict(Grade.FAIL, "the gateway does not answer although nothing is broken")
        return judging.worst(self.verdicts)

    @property
    def right(self) -> int:
        """How many requests were answered as wanted."""
        return sum(verdict.grade is Grade.PASS for verdict in self.verdicts)


async def play(scenario: Scenario, scene: Scene) -> Played:
    """Play a scenario, and leave the replicas well."""
    played = Played(scenario, is_settled=await settle(scene))
    if played.is_settled:
        await scene.fleet.rest()
        await _PLAYS[scenario.how](scenario, scene, played)
        if not played.met and scenario.how not in _WITHOUT_MEETING:
            played.verdicts.append(Verdict(Grade.PARTIAL, "the gateway never asked a replica that was broken"))
        await scene.fleet.rest()
    return played


async def settle(scene: Scene) -> bool:
    """Ask until the gateway answers properly from both replicas; say whether it answers properly at last.

    Some gateways use one replica only until it fails: whoever answers for long enough without the other will do.
    """
    is_good = False
    for _ in range(scene.measures.settling):
        await scene.fleet.rest()
        played = Played(SCENARIOS[0])
        plans = [await _plan(scene, question(CHAT_STREAM, number)) for number in range(_SETTLING_CALLERS)]
        await _ask_all(scene, played, plans, pace_s=0)
        is_good = played.verdict.grade >= Grade.PARTIAL
        if is_good and evidence.busy_replicas(scene.fleet) == len(scene.fleet.replicas):
            return True
        await asyncio.sleep(_SETTLING_PAUSE_S)
    return is_good


async def _plan(scene: Scene, asked: Question, fault: str = "", share: float = 0.0) -> Planned:
    """Find out what is right for a question, and where inside the answer the fault happens."""
    expected = await scene.fleet.calm.expected(asked.path, asked.body)
    place = 1 + round(share * max(0, expected.usage.completion - 2))
    return Planned(asked, expected, fault.format(k=place) or None)


async def _ask(scene: Scene, planned: Planned) -> tuple[Verdict, Heard]:
    asked, measures = planned.question, scene.measures
    if planned.fault is not None:
        scene.fleet.trap.set(asked.mark, planned.fault)
    heard = await ask(scene.target, asked.path, asked.body, patience_s=measures.hung_s)
    told = answer.read(heard, is_stream=bool(asked.body.get("stream")))
    if isinstance(planned.expected, Refusal):
        return judging.judge_refusal(told, planned.expected, late_s=measures.late_s), heard
    return judging.judge(told, planned.expected, late_s=measures.late_s), heard


async def _ask_all(scene: Scene, played: Played, plans: Sequence[Planned], pace_s: float | None = None) -> None:
    """Send requests one after the other without waiting for their answers, then wait for all of them."""
    tasks = Tasks("chaos callers")
    running = []
    try:
        for planned in plans:
            running.append(tasks.start(_ask(scene, planned), name=planned.question.mark))
            await asyncio.sleep(scene.measures.pace_s if pace_s is None else pace_s)
        results = await asyncio.gather(*running)
    finally:
        await tasks.close()
    played.asked += len(plans)
    played.tokens += sum(plan.tokens for plan in plans)
    played.verdicts.extend(verdict for verdict, _ in results)
    played.attempts, played.met = scene.fleet.attempts(), evidence.faults_met(scene.fleet)
    heard = {plan.question.mark: what for plan, (_, what) in zip(plans, results, strict=True) if plan.question.mark}
    played.silences_s += evidence.silences_s(scene.fleet, heard)


async def _now_and_then(scenario: Scenario, scene: Scene, played: Played) -> None:
    plans = []
    for number in range(scene.measures.hits * _EVERY):
        hit, place = divmod(number, _EVERY)
        if place == _EVERY // 2:
            plans.append(await _plan_hit(scenario, scene, hit))
        else:
            plans.append(await _plan(scene, question(scenario.kinds[number % len(scenario.kinds)], number)))
    async with _broken(scene, scenario.everywhere, everywhere=True):
        await _ask_all(scene, played, plans)


async def _plan_hit(scenario: Scenario, scene: Scene, hit: int) -> Planned:
    """Plan a request that meets a fault; the places of all hits are spread over the whole answer."""
    kind, fault = scenario.kinds[hit % len(scenario.kinds)], scenario.faults[hit % len(scenario.faults)]
    is_inside_character = "char" in fault
    share = hit / max(1, scene.measures.hits - 1) * (_CHARACTER_SHARE if is_inside_character else 1)
    for number in range(hit, hit + _SEARCHED):
        asked = question(kind, number, mark=f"(case {scenario.name}-{hit})")
        planned = await _plan(scene, asked, fault, share)
        if not is_inside_character or not planned.is_ascii_behind(share):
            break
    return planned


async def _accounted(scenario: Scenario, scene: Scene, played: Played) -> None:
    """Ask the same before and after: what is left of the budget tells what was used between."""
    probe = await _plan(scene, question(CHAT_WHOLE, 0))
    left_before = await _left(scene, probe)
    await scene.fleet.rest()
    await _now_and_then(scenario, scene, played)
    left_after = await _left(scene, probe)
    if left_before is None or left_after is None or played.verdict.grade is not Grade.PASS:
        return
    used, wanted = left_before - left_after, played.tokens + probe.tokens
    if used != wanted:
        played.verdicts.append(Verdict(Grade.PARTIAL, f"{used} tokens taken off the budget, wanted {wanted}"))


async def _left(scene: Scene, probe: Planned) -> int | None:
    """Return how many tokens the gateway says are left while it answers `probe`; None when it does not say."""
    await asyncio.sleep(_SETTLING_PAUSE_S)  # what was asked before is settled behind its answer
    _, heard = await _ask(scene, probe)
    told = heard.headers.get("x-ratelimit-remaining-tokens", "")
    return int(told) if told.isdecimal() else None


async def _one_replica(scenario: Scenario, scene: Scene, played: Played) -> None:
    kinds = islice(cycle(scenario.kinds), scene.measures.asked)
    marked = [question(kind, at, mark=f"(case {scenario.name}-{at})") for at, kind in enumerate(kinds)]
    plans = [await _plan(scene, each) for each in marked]
    async with _broken(scene, scenario.faults):
        await _ask_all(scene, played, plans)
    played.verdicts.extend(evidence.impatience(scene.fleet))


async def _too_long(_: Scenario, scene: Scene, played: Played) -> None:
    kinds = (CHAT_STREAM, CHAT_WHOLE, COMPLETION_STREAM)
    plans = []
    for number, kind in enumerate(islice(cycle(kinds), 10)):
        asked = too_long(kind, number, mark=f"(case context-{number})", model=MODEL)
        plans.append(Planned(asked, await scene.fleet.calm.refusal(asked.path, asked.body)))
    await _ask_all(scene, played, plans)
    played.verdicts.extend(evidence.asked_again(scene.fleet, [plan.question.mark for plan in plans]))
    if scene.fleet.large is None:
        return
    plans = []
    for number, kind in enumerate(islice(cycle(kinds), 6)):
        mark = f"(case larger-{number})"
        right = too_long(kind, number, mark=mark, model=LARGE_MODEL)
        expected = await scene.fleet.calm.expected(right.path, right.body)
        plans.append(Planned(too_long(kind, number, mark=mark, model=SMALL_MODEL), expected))
    await _ask_all(scene, played, plans)


async def _filtered(scenario: Scenario, scene: Scene, played: Played) -> None:
    plain = [await _plan(scene, question(CHAT_STREAM, number)) for number in range(16)]
    await _ask_all(scene, played, plain, pace_s=scene.measures.pace_s / 4)
    before = evidence.busy_replicas(scene.fleet)
    plans = []
    for number, kind in enumerate(islice(cycle((CHAT_STREAM, CHAT_WHOLE, COMPLETION_STREAM)), 12)):
        asked = question(kind, number, mark=f"(case {scenario.name}-{number})")
        refusal = await scene.fleet.calm.refusal(asked.path, asked.body, scenario.faults[0])
        plans.append(Planned(asked, refusal, scenario.faults[0]))
    await _ask_all(scene, played, plans)
    played.verdicts.extend(evidence.asked_again(scene.fleet, [plan.question.mark for plan in plans]))
    attempts, met = played.attempts, played.met
    for sim in scene.fleet.members:
        sim.log.clear()
    await _ask_all(scene, played, plain, pace_s=scene.measures.pace_s / 4)
    played.attempts, played.met = played.attempts + attempts, met
    if evidence.busy_replicas(scene.fleet) < before:
        played.verdicts.append(Verdict(Grade.PARTIAL, "a replica was taken out for a refusal"))


async def _flapping(scenario: Scenario, scene: Scene, played: Played) -> None:
    count = max(10, round(scene.measures.flap_s / _FLAP_PACE_S))
    kinds = islice(cycle(scenario.kinds), count)
    asked = [question(kind, number, max_tokens=_FLAP_ANSWER_TOKENS) for number, kind in enumerate(kinds)]
    plans = [await _plan(scene, each) for each in asked]
    async with _broken(scene, scenario.faults):
        await _ask_all(scene, played, plans, pace_s=_FLAP_PACE_S)


@asynccontextmanager
async def _broken(scene: Scene, faults: Sequence[str], *, everywhere: bool = False) -> AsyncIterator[None]:
    """Break the first replica, or all of them, for as long as the block lasts."""
    sims = scene.fleet.members if everywhere else scene.fleet.replicas[:1]
    for sim in sims:
        sim.faults.add(faults)
    try:
        yield
    finally:
        for sim in sims:
            await sim.faults.clear()


_PLAYS: dict[How, Callable[[Scenario, Scene, Played], Awaitable[None]]] = {
    How.NOW_AND_THEN: _now_and_then,
    How.ONE_REPLICA: _one_replica,
    How.TOO_LONG: _too_long,
    How.FILTERED: _filtered,
    How.FLAPPING: _flapping,
    How.ACCOUNTED: _accounted,
}
