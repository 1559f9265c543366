"""Figures as a table for people and as JSON for programs, with all that is needed to judge them."""

import importlib.metadata
import os
import platform
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from benchmarks.accounting import PROC
from benchmarks.figures import Figures, ratio, summary
from benchmarks.load import Scenario
from vllm_gateway import codec

GATEWAY, DIRECT, LIMIT = "gateway", "direct", "nginx"
BUSY = 0.9
"""From this share of a core on, the core is what limits."""
DISTURBED = 0.1
"""From this share of a core on, other programs disturb."""
PACKAGES = ("vllm-gateway", "uvicorn", "uvloop", "httptools", "orjson")

_IN_ONE_PIECE = {
    "requests/s": "requests_per_s",
    "p50 ms": "p50_ms",
    "p99 ms": "p99_ms",
    "CPU s per 1,000 requests": "cpu_s_per_1000_requests",
}
_STREAMED = {
    "events/s": "events_per_s",
    "CPU s per 100,000 events": "cpu_s_per_100k_events",
    "TTFT p50 ms": "ttft_p50_ms",
    "TTFT p99 ms": "ttft_p99_ms",
    "gap p99 ms": "gap_p99_ms",
}
_ALWAYS = {
    "peak RSS MB": "peak_rss_mb",
    "core of target": "target_busy",
    "core of client and replica": "load_busy",
    "errors": "errors",
    "short": "short",
    "unfinished": "unfinished",
}
_SHARES = {"target_busy", "load_busy"}


@dataclass(frozen=True, slots=True)
class Run:
    """The figures of one target in one scenario and repetition."""

    scenario: str
    target: str
    repetition: int
    figures: Figures


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Where, when and how it was measured."""

    started: str
    command: str
    cpu_model: str
    cores: int
    kernel: str
    load_average: tuple[float, float, float]
    is_pinned: bool
    versions: Mapping[str, str]
    commit: str


def circumstances(started: datetime, *, command: str, is_pinned: bool) -> Circumstances:
    """Look at the machine and at what is installed."""
    versions = {name: importlib.metadata.version(name) for name in PACKAGES} | {"python": platform.python_version()}
    if program := shutil.which("nginx"):
        versions["nginx"] = _output([program, "-v"]).rpartition("/")[2]
    git = shutil.which("git")
    return Circumstances(
        started=started.isoformat(timespec="seconds"),
        command=command,
        cpu_model=cpu_model((PROC / "cpuinfo").read_text()),
        cores=os.cpu_count() or 1,
        kernel=platform.release(),
        load_average=os.getloadavg(),
        is_pinned=is_pinned,
        versions=versions,
        commit=(_output([git, "describe", "--always", "--dirty", "--abbrev=12"]) if git else "") or "unknown",
    )


def cpu_model(cpuinfo: str) -> str:
    """Return the name of the processor out of `/proc/cpuinfo`; not every architecture has one there."""
    for line in cpuinfo.splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def summaries(runs: Sequence[Run]) -> dict[tuple[str, str], Figures]:
    """Return the summary of the repetitions, by scenario and target."""
    grouped: dict[tuple[str, str], list[Figures]] = {}
    for run in runs:
        grouped.setdefault((run.scenario, run.target), []).append(run.figures)
    return {key: summary(each) for key, each in grouped.items()}


def table(scenario: Scenario, by_target: Mapping[str, Figures]) -> str:
    """Return one scenario as a Markdown table: a row per target, then the ratios."""
    main = _STREAMED if scenario.events else _IN_ONE_PIECE
    columns = main | _ALWAYS
    rows = [["", *columns]]
    for name, figures in by_target.items():
        rows.append([name, *(_shown(field, getattr(figures, field)) for field in columns.values())])
    for other in (DIRECT, LIMIT):
        if GATEWAY in by_target and other in by_target:
            pairs = [(getattr(by_target[GATEWAY], field), getattr(by_target[other], field)) for field in main.values()]
            ratios = [_shown("ratio", ratio(*pair)) for pair in pairs]
            rows.append([f"{GATEWAY} ÷ {other}", *ratios, *("" for _ in _ALWAYS)])
    return _markdown(rows)


def caveats(by_key: Mapping[tuple[str, str], Figures], *, is_pinned: bool) -> list[str]:
    """Return what a reader of the figures must know."""
    found = [
        "Compare CPU seconds and ratios within this run; absolute speed belongs to this machine and this minute.",
        "Client and replica are written in Python and share a core. `direct` shows what they can do by themselves.",
        "The CPU seconds of `direct` are those of the replica.",
    ]
    if not is_pinned:
        found.append("There is one core only: everything shared it, so no speed here is that of one part.")
    full = [f"{target} in {scenario}" for (scenario, target), each in by_key.items() if (each.load_busy or 0) > BUSY]
    if full:
        found.append(
            f"The core of client and replica was more than {BUSY:.0%} busy for {', '.join(full)}: "
            "there, requests/s and events/s are the least that the target can do."
        )
    alone = [f"{target} in {scenario}" for (scenario, target), each in by_key.items() if (each.client_busy or 0) > BUSY]
    if alone:
        found.append(f"The client alone was more than {BUSY:.0%} busy: {', '.join(alone)}.")
    disturbed = max((each.other_busy or 0 for each in by_key.values()), default=0)
    if disturbed > DISTURBED:
        found.append(f"Other programs used up to {disturbed:.0%} of a core meanwhile.")
    return found


def markdown(what: Circumstances, scenarios: Sequence[Scenario], runs: Sequence[Run]) -> str:
    """Return the whole report."""
    by_key = summaries(runs)
    repetitions = max((run.repetition for run in runs), default=0)
    lines = [
        f"# {what.started}: medians of {repetitions} interleaved repetitions",
        "",
        f"`{what.command}` at commit {what.commit}",
        "",
        f"* Machine: {what.cpu_model}, {what.cores} cores, Linux {what.kernel}",
        f"* Load average at the start: {', '.join(f'{load:.2f}' for load in what.load_average)}",
        f"* Versions: {', '.join(f'{name} {version}' for name, version in what.versions.items())}",
        *(f"* {caveat}" for caveat in caveats(by_key, is_pinned=what.is_pinned)),
    ]
    for scenario in scenarios:
        by_target = {target: each for (name, target), each in by_key.items() if name == scenario.name}
        lines += ["", f"## {scenario.name}: {scenario.title}", "", table(scenario, by_target)]
        if added := _added(scenario, by_target):
            lines += ["", added]
    return "\n".join(lines) + "\n"


def write(
    folder: Path, name: str, what: Circumstances, scenarios: Sequence[Scenario], runs: Sequence[Run]
) -> tuple[Path, Path]:
    """Write `<name>.md` and `<name>.json`, and return where they are."""
    folder.mkdir(parents=True, exist_ok=True)
    by_key = summaries(runs)
    document = {
        "circumstances": asdict(what),
        "caveats": caveats(by_key, is_pinned=what.is_pinned),
        "scenarios": [asdict(scenario) for scenario in scenarios],
        "summaries": [
            {"scenario": name, "target": target, "figures": asdict(each)} for (name, target), each in by_key.items()
        ],
        "runs": [asdict(run) for run in runs],
    }
    for_people, for_programs = folder / f"{name}.md", folder / f"{name}.json"
    for_people.write_text(markdown(what, scenarios, runs))
    for_programs.write_bytes(codec.dumps_pretty(document))
    return for_people, for_programs


def _added(scenario: Scenario, by_target: Mapping[str, Figures]) -> str:
    """Return how much later than from the replica itself an answer, or its first event, comes at the median.

    Where each connection asks as fast as it can, the time of an answer is that of the queue, and says nothing.
    """
    if DIRECT not in by_target or not (scenario.connections == 1 or scenario.gap_ms):
        return ""
    field = "ttft_p50_ms" if scenario.events else "p50_ms"
    least = getattr(by_target[DIRECT], field)
    later = {name: getattr(each, field) for name, each in by_target.items() if name != DIRECT}
    if least is None or None in later.values():
        return ""
    return f"Added at the median: {', '.join(f'{name} {value - least:.2f} ms' for name, value in later.items())}."


def _shown(field: str, value: float | None) -> str:
    if value is None:
        return "-"
    if field in _SHARES:
        return f"{value:.0%}"
    if isinstance(value, int) or value >= 100:  # noqa: PLR2004 - three digits say enough
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as a Markdown table whose columns also line up as plain text."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    head, *others = [_line(row, widths) for row in rows]
    rule = [f"{'-' * (width - 1)}:" for width in widths]
    return "\n".join([head, _line([rule[0].replace(":", "-"), *rule[1:]], widths), *others])


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    """Return one row: its first cell to the left, all others to the right."""
    first, *others = zip(row, widths, strict=True)
    return f"| {first[0]:<{first[1]}} | " + " | ".join(f"{cell:>{width}}" for cell, width in others) + " |"


def _output(command: list[str]) -> str:
    """Return what a short command says, wherever it says it; nothing when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    return (done.stdout or done.stderr).strip() if done.returncode == 0 else ""
