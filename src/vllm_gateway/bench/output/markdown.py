"""The report as Markdown."""

import os
import platform
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from vllm_gateway import __version__
from vllm_gateway.bench.findings import Findings
from vllm_gateway.bench.output import tables
from vllm_gateway.bench.output.console import knee_in_words, remarks
from vllm_gateway.bench.output.formulas import FORMULAS
from vllm_gateway.bench.output.tables import Table
from vllm_gateway.bench.words import command, load_in_words


def report(found: Findings, plots: Sequence[tuple[str, str]]) -> str:
    """Return the report; `plots` are titles and file names beside it."""
    return "\n".join(_lines(found, plots)) + "\n"


def _lines(found: Findings, plots: Sequence[tuple[str, str]]) -> Iterator[str]:
    yield f"# Load test of {', '.join(found.prepared.models)}"
    yield ""
    yield from _circumstances(found)
    if found_remarks := remarks(found):
        yield from ("", "## To be known", "", *(f"* {line}" for line in found_remarks))
    yield from ("", "## Figures", "")
    yield from rows(tables.totals(found))
    yield ""
    yield from rows(tables.times(found.through.summary))
    yield from _comparisons(found)
    if plots:
        yield from ("", "## Plots")
        for title, name in plots:
            yield from ("", f"![{title}]({name})")
    yield from ("", "## The client", "", _client(found))
    yield from ("", "## Formulas", "", "| | |", "|---|---|")
    yield from (f"| {name} | {formula} |" for name, formula in FORMULAS.items())
    yield from ("", "Every request is in [requests.csv](requests.csv), everything else in [result.json](result.json).")


def _circumstances(found: Findings) -> Iterator[str]:
    moment = datetime.fromtimestamp(found.began_wall, UTC)
    version = f" (version {found.prepared.version})" if found.prepared.version else ""
    asked = found.load
    lines = {
        "when": f"{moment:%Y-%m-%d %H:%M:%S} UTC",
        "server": f"{found.through.url}{version}",
        "direct": found.direct.url if found.direct else None,
        "load": load_in_words(found.plan),
        "asked": f"{asked['endpoint']}, {'streamed' if asked['stream'] else 'in one piece'}",
        "prompts": _prompts(found),
        "seed": str(found.plan.load.seed),
        "client": f"vllm-gateway {__version__}, Python {platform.python_version()}, {platform.system()} "
        f"{platform.machine()}, {os.cpu_count()} cores",
    }
    yield from ("| | |", "|---|---|")
    yield from (f"| {name} | {text} |" for name, text in lines.items() if text is not None)
    yield from ("", "```", command(found.plan.wishes), "```")


def _prompts(found: Findings) -> str:
    said, shape = found.plan.wishes.prompts, found.plan.shape
    turns = f", {said.turns} turns" if said.turns > 1 else ""
    if said.prompts is not None:
        return f"{said.prompts.name}, {len(found.plan.listed)} conversations{turns}"
    prefix = f", {shape.prefixes} shared prefixes of {shape.prefix_tokens} tokens" if shape.prefix_tokens else ""
    lens = sorted(each.input_tokens for each in found.through.records if each.input_tokens is not None)
    got = f"; the server counts {lens[0]} to {lens[-1]} in" if lens else ""
    return f"made up, {shape.input_tokens} tokens in, {shape.output_tokens} out wanted{prefix}{turns}{got}"


def _comparisons(found: Findings) -> Iterator[str]:
    if found.direct is not None:
        yield from ("", f"Directly at {found.direct.url}:", "")
        yield from rows(tables.times(found.direct.summary))
        yield from ("", "## What the gateway adds", "")
        yield from rows(tables.added(found))
    if len(found.through.by_model) > 1:
        yield from ("", "## By model", "")
        yield from rows(tables.models(found))
    if found.steps:
        yield from ("", "## Rates", "", knee_in_words(found), "")
        yield from rows(tables.sweep(found))
        if any(step.client_limit for step in found.steps):
            yield from ("", "\\* The client itself was the limit.")
    if found.changes:
        yield from ("", f"## Compared with {found.plan.wishes.verdict.vs}", "")
        yield from rows(tables.changes(found))


def rows(table: Table) -> Iterator[str]:
    """Yield the lines of a table."""
    yield f"| {' | '.join(table.heading)} |"
    yield f"|---|{'---:|' * (len(table.heading) - 1)}"
    yield from (f"| {' | '.join(row)} |" for row in table.rows)


def _client(found: Findings) -> str:
    cost = found.through.cost
    return (
        f"It used {cost.cpu_share:.0%} of one core, {cost.cpu_us_per_event:.0f} us for each of {cost.events} events, "
        f"and opened {cost.connections} connections. At p99 its timers were {tables.ms(cost.loop_lag_p99_s)} ms late, "
        f"and requests were sent {tables.ms(cost.send_lag_p99_s)} ms later than planned."
    )
