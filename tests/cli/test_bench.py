"""`vllm-gateway bench`."""

import shlex
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from vllm_gateway.bench.load.arrivals import Closed
from vllm_gateway.bench.plan import Plan

FLAGS = """
--url http://a:1 --direct http://b:2 --model m --model n --endpoint completions --no-stream --api-key k
--header 'X-A: b' --body '{"temperature":0}' --timeout 9 --runs 20 --concurrency 4 --warmup 0 --rounds 4 --seed 5
--synthetic 9,8 --turns 2 --max-tokens 7 --shared-prefix 30 --prefixes 2 --prefix-share 0.5 --salt
--goodput ttft:200 tpot:50 --fail-if 'failed > 0' --fail-if 'delta.p50_ttft_ms > 5' --expect-errors http_429 cut
--out there --no-plots --json --quiet
"""


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[Plan]:
    """Note what would be done, and do nothing."""
    found: list[Plan] = []

    def run_instead(plan: Plan) -> int:
        found.append(plan)
        return 0

    monkeypatch.setattr("vllm_gateway.bench.running.run", run_instead)
    return found


def test_without_arguments_the_gateway_on_this_machine_is_asked(run: Run, plans: list[Plan]) -> None:
    """Ten times, one after the other, after two that do not count."""
    assert run("bench")[0] == 0
    (plan,) = plans
    assert (plan.target.url, plan.load.requests, plan.load.arrivals) == ("http://127.0.0.1:8080", 10, Closed(1))
    assert plan.wishes.load.warmup == 2


def test_each_flag_arrives(run: Run, plans: list[Plan]) -> None:
    """What is given on the command line is what is done."""
    flags = shlex.split(FLAGS)
    code, _, err = run("bench", *flags)
    assert (code, err) == (0, "")
    (plan,) = plans
    wishes = plan.wishes
    assert wishes.server.model == ("m", "n")
    assert (wishes.server.timeout_s, plan.asking.streams) == (9, False)
    assert (plan.load.requests, plan.load.arrivals, plan.load.seed, wishes.load.rounds) == (20, Closed(4), 5, 4)
    assert wishes.prompts.salt is True
    assert plan.slo.limits_ms == {"ttft": 200, "tpot": 50}
    assert list(plan.conditions) == ["failed > 0", "delta.p50_ttft_ms > 5"]
    assert wishes.verdict.expect_errors == ("http_429", "cut")
    assert (wishes.output.out, wishes.output.plots, wishes.output.json, wishes.output.quiet) == (
        Path("there"),
        False,
        True,
        True,
    )


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ("--requests 0", "Invalid value"),
        ("--rate x", "--rate x: it takes requests per second"),
        ("--prefix-share 2", "Invalid value"),
        ("--endpoint chats", "Invalid value"),
        ("--prompts no-such-file", "cannot be read"),
        ("--fail-if failed", "it takes a figure, a comparison and a number"),
    ],
)
def test_a_mistake_is_one_sentence(run: Run, plans: list[Plan], flags: str, sentence: str) -> None:
    """Nothing is asked of anybody."""
    code, out, err = run("bench", *flags.split())
    assert (code, out, plans) == (2, "", [])
    assert sentence in err
    assert err.count("\n") == 1


def test_the_help_has_examples(run: Run) -> None:
    """And says what the exit status means."""
    code, out, _ = run("bench", "--help")
    assert code == 0
    for part in ("--direct", "--fail-if", "For example", "Exit status", "TPOT = (E2E - TTFT)"):
        assert part in out
