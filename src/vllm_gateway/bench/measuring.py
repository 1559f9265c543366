"""The order of a run: warm up, then one load, or two targets in turns, or one rate after the other."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from vllm_gateway.bench.figures.comparison import doubts
from vllm_gateway.bench.figures.knee import Step, knee
from vllm_gateway.bench.figures.pairing import Round, added
from vllm_gateway.bench.figures.summary import summarize
from vllm_gateway.bench.findings import Findings, Measured, Preparation
from vllm_gateway.bench.load.arrivals import Closed, Open
from vllm_gateway.bench.load.caller import Aim, Nobody, Onlooker
from vllm_gateway.bench.load.own_cost import OwnCost
from vllm_gateway.bench.load.playing import Load, Run, play
from vllm_gateway.bench.load.target import Target
from vllm_gateway.bench.plan import Plan
from vllm_gateway.bench.preparing import prepare, source
from vllm_gateway.bench.prompts.conversation import Source
from vllm_gateway.bench.prompts.synthetic import Lengths
from vllm_gateway.clock import SystemClock

_WARM_CONCURRENCY = 8
_MOST_TOKENS_PER_OUTPUT = 1.05


@dataclass(slots=True)
class _Side:
    """One target, what it is asked, and what was measured of it so far."""

    aim: Aim
    source: Source
    runs: list[Run] = field(default_factory=list)
    _next: int = 0

    async def play(self, load: Load, onlooker: Onlooker) -> Run:
        """Make a load with conversations that were not asked before."""
        run = await play(load, self.aim, self.source, onlooker, first=self._next)
        self._next = max((each.conversation for each in run.records), default=self._next) + 1
        return run

    def measured(self, plan: Plan, runs: Sequence[Run]) -> Measured:
        """Return what these runs come to."""
        records = [record for run in runs for record in run.records]
        duration_s = sum(run.duration_s for run in runs)
        by_model = {
            model: summarize([each for each in records if each.model == model], duration_s, plan.slo)
            for model in self.aim.models
        }
        cost = OwnCost.of_all([run.cost for run in runs])
        return Measured(self.aim.target.url, records, summarize(records, duration_s, plan.slo), cost, by_model)


async def measure(plan: Plan, onlooker: Onlooker | None = None) -> Findings:
    """Do what is planned; raise `CannotMeasure` when it cannot begin."""
    began_wall = SystemClock.wall()
    prepared, lengths = await prepare(plan)
    looking = onlooker or Nobody()
    through = _side(plan, plan.target, prepared, lengths, "through")
    await _warm_up(plan, through)
    if plan.direct is not None:
        direct = _side(plan, plan.direct, prepared, lengths, "direct")
        await _warm_up(plan, direct)
        rounds = await _alternate(plan, through, direct, looking)
        found = Findings(
            plan,
            prepared,
            began_wall,
            through.measured(plan, through.runs),
            direct.measured(plan, direct.runs),
            added(rounds, seed=plan.load.seed),
        )
    elif plan.sweep is not None:
        found = await _sweep(plan, prepared, began_wall, through, looking)
    else:
        run = await through.play(plan.load, looking)
        found = Findings(plan, prepared, began_wall, through.measured(plan, [run]))
    return replace(found, notes=(*prepared.notes, *_notes(found)))


def _side(plan: Plan, target: Target, prepared: Preparation, lengths: Lengths, name: str) -> _Side:
    said, server = plan.wishes.prompts, plan.wishes.server
    aim = Aim(target, plan.asking, prepared.models, said.max_tokens, server.timeout_s)
    return _Side(aim, source(plan, lengths, side=name))


async def _warm_up(plan: Plan, side: _Side) -> None:
    count = plan.wishes.load.warmup
    if count:
        await side.play(Load(Closed(min(count, _WARM_CONCURRENCY)), count), Nobody())


async def _alternate(plan: Plan, through: _Side, direct: _Side, onlooker: Onlooker) -> list[Round]:
    """Give both the same load in turns; who is first changes from round to round."""
    rounds: list[Round] = []
    for number, load in enumerate(parts(plan.load, plan.wishes.load.rounds)):
        for side in (through, direct) if number % 2 else (direct, through):
            side.runs.append(await side.play(load, onlooker))
        rounds.append((through.runs[-1].records, direct.runs[-1].records))
    return rounds


def parts(load: Load, rounds: int) -> list[Load]:
    """Return a load in so many parts, or in as many as it has requests; each has a schedule of its own."""
    if load.requests is None:
        share_s = (load.duration_s or 0.0) / rounds
        return [replace(load, duration_s=share_s, seed=load.seed + number) for number in range(rounds)]
    rounds = min(rounds, load.requests)
    sizes = [load.requests // rounds + (number < load.requests % rounds) for number in range(rounds)]
    return [replace(load, requests=size, seed=load.seed + number) for number, size in enumerate(sizes)]


async def _sweep(plan: Plan, prepared: Preparation, began_wall: float, side: _Side, onlooker: Onlooker) -> Findings:
    """Try one rate after the other until enough is known; the figures are those of the best."""
    steps: list[Step] = []
    sweep, arrivals = plan.sweep, plan.load.arrivals
    measured = []
    while sweep is not None and isinstance(arrivals, Open) and (rate := sweep.next_rate(steps)) is not None:
        run = await side.play(replace(plan.load, arrivals=replace(arrivals, rate_per_s=rate)), onlooker)
        measured.append(side.measured(plan, [run]))
        steps.append(Step(rate, measured[-1].summary, run.cost.limit))
    best = knee(steps)
    shown = measured[steps.index(best)] if best is not None else measured[0]
    return Findings(plan, prepared, began_wall, shown, steps=tuple(steps))


def _notes(found: Findings) -> list[str]:
    """Return what a reader should know of the figures, before believing them."""
    notes = []
    for each in (found.through, found.direct):
        if each is None:
            continue
        if each.cost.limit is not None:
            notes.append(f"{each.url}: {each.cost.limit}")
        if each.summary.without_usage:
            notes.append(
                f"{each.url} told no usage in {each.summary.without_usage} of {each.summary.completed} answers: they "
                "are not in the figures of tokens and TPOT, and nothing was guessed."
            )
        if (tokens_per_output := _tokens_per_output(each)) > _MOST_TOKENS_PER_OUTPUT:
            notes.append(
                f"{each.url} sent {tokens_per_output:.2f} tokens with each output: ITL is between outputs, and "
                "only TPOT is per token."
            )
    if found.plan.earlier is not None:
        notes += doubts(found.plan.earlier, found.load)
    return notes


def _tokens_per_output(measured: Measured) -> float:
    """Return how many tokens one event of a stream carried; 1 where nothing is known of it."""
    streams = [each for each in measured.records if each.gaps_s and each.output_tokens]
    outputs = sum(len(each.gaps_s) + 1 for each in streams)
    return sum(each.output_tokens or 0 for each in streams) / outputs if outputs else 1.0
