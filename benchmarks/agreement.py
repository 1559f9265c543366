"""`vllm-gateway bench` beside `vllm bench serve`: the same load on the same real vLLM, one after the other, in turns.

    python -m benchmarks.agreement                   some ten minutes, written to benchmarks/results/
    python -m benchmarks.agreement --rounds 2 --requests 10 --out reports      a first look

Needs the environment that scripts/real_vllm_env.sh builds. Both read the same file of prompts, new ones in each round,
and who is first changes from round to round; the prefix cache is off. The server has all cores but one, and the client
that one, so that a client's own work delays no token. Prompts are long, because the time to a first token must be
large beside the 2 ms that the other client needs for a request.
"""

import argparse
import os
import random
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2

from benchmarks import report
from benchmarks.columns import markdown
from benchmarks.targets import free_port, pinned
from vllm_gateway import codec
from vllm_gateway.bench.figures.distribution import percentile
from vllm_gateway.clock import SystemClock

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
MODEL = "tiny-llama"
OURS, THEIRS = "vllm-gateway bench", "vllm bench serve"
FIGURES = ("request_throughput", "median_ttft_ms", "median_itl_ms", "median_tpot_ms", "median_e2el_ms")
EQUAL = ("completed", "total_input_tokens", "total_output_tokens")
TOLERATED = 0.03
START_S, RUN_S = 240.0, 300.0
_RESAMPLES = 2000
_WORDS = ("river", "stone", "light", "house", "water", "green", "morning", "table", "paper", "window", "garden", "road")
_THEIR_CLIENT = """
from vllm.benchmarks import serve
from vllm.utils.argparse_utils import FlexibleArgumentParser
parser = FlexibleArgumentParser()
serve.add_cli_args(parser)
serve.main(parser.parse_args())
"""
"""What the command `vllm bench serve` runs; the command itself looks for a package of another name than the CPU's."""

Result = Mapping[str, Any]
Round = Mapping[str, Result]
"""The result of each tool, by its name."""


@dataclass(frozen=True, slots=True)
class Load:
    """What both ask."""

    requests: int
    concurrency: int
    words_in: int
    tokens_out: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """One figure of both tools."""

    figure: str
    ours: float
    theirs: float
    """Medians of the rounds."""
    more: float
    """By which share ours is larger: the median of the rounds' ratios, less one."""
    low: float
    high: float
    """95 % interval of that, by a bootstrap over the rounds."""

    @property
    def is_within(self) -> bool:
        """The two agree."""
        return abs(self.more) <= TOLERATED


class Failed(Exception):
    """A program did not do its work; the message says which and what it wrote."""


def agreements(rounds: Sequence[Round]) -> list[Agreement]:
    """Return how far the two agree in each figure."""
    found = []
    for figure in FIGURES:
        pairs = [(each[OURS][figure], each[THEIRS][figure]) for each in rounds]
        dice = random.Random(0)  # noqa: S311 - draws samples, hides nothing
        ratios = [ours / theirs - 1 for ours, theirs in pairs]
        drawn = sorted(statistics.median(dice.choices(ratios, k=len(ratios))) for _ in range(_RESAMPLES))
        ours, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
        low, high = percentile(drawn, 0.025), percentile(drawn, 0.975)
        found.append(Agreement(figure, ours, theirs, statistics.median(ratios), low, high))
    return found


def unequal(rounds: Sequence[Round]) -> list[str]:
    """Return what should be equal and is not: then the load was not the same."""
    return [
        f"Round {number}: {name} is {each[OURS][name]} and {each[THEIRS][name]}."
        for number, each in enumerate(rounds, 1)
        for name in EQUAL
        if each[OURS][name] != each[THEIRS][name]
    ]


def prompts(load: Load, seed: int) -> bytes:
    """Return prompts that no earlier round had, as ShareGPT's JSON, which both tools read."""
    dice = random.Random(seed)  # noqa: S311 - makes up prompts, hides nothing
    talks = []
    for number in range(load.requests):
        text = f"{seed} {number} {' '.join(dice.choices(_WORDS, k=load.words_in))}"
        talks.append({"conversations": [{"from": "human", "value": text}, {"from": "gpt", "value": "Yes."}]})
    return codec.dumps(talks)


def our_command(url: str, load: Load, file: Path, folder: Path) -> list[str]:
    """Return the call of our tool; it prints its result."""
    return [
        *(sys.executable, "-m", "vllm_gateway", "bench", "--url", url, "--model", MODEL),
        *("--prompts", str(file), "--max-tokens", str(load.tokens_out), "--no-salt"),
        *("--body", '{"ignore_eos": true, "temperature": 0}', "--warmup", "2"),
        *("--requests", str(load.requests), "--concurrency", str(load.concurrency)),
        *("--json", "--quiet", "--no-plots", "--out", str(folder / "reports")),
    ]


def their_command(url: str, load: Load, file: Path, result: Path, environment: Path) -> list[str]:
    """Return the call of vLLM's tool; it writes its result into a file."""
    return [
        *(str(environment / "env" / "bin" / "python"), "-W", "ignore", "-c", _THEIR_CLIENT),
        *("--backend", "openai-chat", "--base-url", url, "--endpoint", "/v1/chat/completions"),
        *("--model", MODEL, "--tokenizer", str(environment / "model")),
        *("--dataset-name", "sharegpt", "--dataset-path", str(file), "--disable-shuffle"),
        *("--sharegpt-output-len", str(load.tokens_out), "--ignore-eos", "--temperature", "0", "--num-warmups", "2"),
        *("--num-prompts", str(load.requests), "--max-concurrency", str(load.concurrency)),
        *("--percentile-metrics", "ttft,tpot,itl,e2el", "--disable-tqdm"),
        *("--save-result", "--result-filename", str(result)),
    ]


def play(url: str, load: Load, *, number: int, environment: Path, folder: Path) -> Round:
    """Let both ask, one after the other; who is first changes."""
    file, result = folder / "prompts.json", folder / f"theirs-{number}.json"
    file.write_bytes(prompts(load, seed=number))
    found: dict[str, Result] = {}
    for name in (OURS, THEIRS) if number % 2 else (THEIRS, OURS):
        if name == OURS:
            found[name] = codec.loads(_run(OURS, our_command(url, load, file, folder), dict(os.environ)))  # noqa: TID251 - for a process
        else:
            _run(THEIRS, their_command(url, load, file, result, environment), _vllm_variables(environment))
            found[name] = codec.loads(result.read_bytes())
        told = ", ".join(f"{figure} {found[name][figure]:.4g}" for figure in FIGURES)
        print(f"# {number} {name}: {told}", file=sys.stderr, flush=True)
    return found


@contextmanager
def server(environment: Path, folder: Path, usable: set[int]) -> Iterator[str]:
    """Run a real vLLM without a prefix cache on these cores; give its address."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [
        *(str(environment / "env" / "bin" / "python"), "-W", "ignore", "-m", "vllm.entrypoints.openai.api_server"),
        *("--model=model", f"--served-model-name={MODEL}", "--host=127.0.0.1", f"--port={port}"),
        *("--max-model-len=4096", "--enforce-eager", "--no-enable-prefix-caching"),
    ]
    log = folder / "server.txt"
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, usable)
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=environment,
            env=_vllm_variables(environment),
            start_new_session=True,
        )
    os.sched_setaffinity(0, before)
    try:
        _wait(process, url, log)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def text(what: report.Circumstances, load: Load, rounds: Sequence[Round]) -> str:
    """Return the report: every figure, and every round, whatever it shows."""
    rows = [["", OURS, THEIRS, "ours is more by", "95 % interval", "within 3 %"]]
    for each in agreements(rounds):
        interval = f"{each.low:+.1%} to {each.high:+.1%}"
        rows.append(
            [each.figure, f"{each.ours:.4g}", f"{each.theirs:.4g}", f"{each.more:+.1%}", interval, _yes(each.is_within)]
        )
    each_round = [["round", "tool", *FIGURES]]
    for number, found in enumerate(rounds, 1):
        each_round += [[str(number), name, *(f"{found[name][key]:.4g}" for key in FIGURES)] for name in (OURS, THEIRS)]
    lines = [
        f"# {what.started}: {OURS} beside {THEIRS}, medians of {len(rounds)} rounds in turns",
        "",
        f"`{what.command}` at commit {what.commit}",
        "",
        f"* Machine: {what.cpu_model}, {what.cores} cores, Linux {what.kernel}",
        f"* Load average at the start: {', '.join(f'{value:.2f}' for value in what.load_average)}",
        f"* Load: {asdict(load)}; {rounds[0][OURS]['total_input_tokens']} tokens in for each tool in a round",
        *(f"* {each}" for each in unequal(rounds)),
        "",
        markdown(rows),
        "",
        markdown(each_round),
    ]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Play the rounds, print how far the tools agree, and write it down."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    asked = _asked(given)
    load = Load(asked.requests, asked.concurrency, asked.words_in, asked.tokens_out)
    started, rounds = datetime.now(UTC), list[Round]()
    *others, last = sorted(os.sched_getaffinity(0))
    command = shlex.join(["python", "-m", "benchmarks.agreement", *given])
    what = report.circumstances(started, command=command, is_pinned=bool(others))
    try:
        environment = _environment()
        with tempfile.TemporaryDirectory(prefix="agreement-") as scratch, pinned(last if others else None):
            folder = Path(scratch)
            with server(environment, folder, set(others or [last])) as url:
                for number in range(asked.rounds + 1):
                    found = play(url, load, number=number, environment=environment, folder=folder)
                    rounds += [found] if number else []  # the first only warms everything up
    except Failed as error:
        print(error, file=sys.stderr)
        return 1
    asked.out.mkdir(parents=True, exist_ok=True)
    written = asked.out / f"{started:%Y-%m-%d}-agreement.md"
    written.write_text(text(what, load, rounds))
    document = {"circumstances": asdict(what), "load": asdict(load), "rounds": [_short(each) for each in rounds]}
    written.with_suffix(".json").write_bytes(codec.dumps_pretty(document))
    print(written.read_text())
    return 0


def _short(found: Round) -> dict[str, dict[str, object]]:
    return {name: {key: result[key] for key in (*FIGURES, *EQUAL)} for name, result in found.items()}


def _yes(is_so: bool) -> str:  # noqa: FBT001 - what it is about is its only argument
    return "yes" if is_so else "no"


def _run(name: str, command: list[str], variables: dict[str, str]) -> bytes:
    done = subprocess.run(
        command, capture_output=True, check=False, timeout=RUN_S, env=variables, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        raise Failed(f"{name} failed: {(done.stderr or done.stdout).decode(errors='replace')[-1000:]}")
    return done.stdout


def _vllm_variables(environment: Path) -> dict[str, str]:
    """Return an environment in which vLLM computes with one thread, bound to no core, and asks nobody on the net."""
    return {
        "PATH": os.defpath,
        "HOME": str(environment),
        "VLLM_PLATFORM": "cpu",
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "OMP_NUM_THREADS": "1",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    }


def _environment() -> Path:
    bash = shutil.which("bash") or "bash"
    script = [bash, str(ROOT / "scripts" / "real_vllm_env.sh"), "--where"]
    folder = Path(subprocess.run(script, check=True, capture_output=True, text=True).stdout.strip())
    if not (folder / "model.stamp").exists():
        raise Failed("There is no real vLLM here: run scripts/real_vllm_env.sh first.")
    return folder


def _wait(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    latest = SystemClock.now() + START_S
    while process.poll() is None and SystemClock.now() < latest:
        try:
            if httpx2.get(f"{url}/health", timeout=2, trust_env=False).status_code == httpx2.codes.OK:
                return
        except httpx2.TransportError:
            pass
        time.sleep(0.5)
    raise Failed(f"vLLM is not ready. It wrote: {log.read_text(errors='replace')[-1000:]}")


def _asked(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--requests", type=int, default=40, help="of each tool in each round")
    parser.add_argument("--concurrency", type=int, default=2)
    parser.add_argument("--words-in", type=int, default=350, help="of some 2.5 tokens; vLLM takes none above 1,024")
    parser.add_argument("--tokens-out", type=int, default=64)
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the files")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
