"""How two load tests are compared with each other."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchmarks import agreement, report
from benchmarks.agreement import EQUAL, FIGURES, OURS, THEIRS, Failed, Load, Round
from tests.benchmarks.test_report import cells
from vllm_gateway import codec
from vllm_gateway.bench.prompts.files import read_prompts

LOAD = Load(requests=3, concurrency=2, words_in=20, tokens_out=8)


def found(ours: float, theirs: float) -> Round:
    """Return a round in which every figure of a tool has one value, and the load was the same."""
    equal = dict.fromkeys(EQUAL, 5)
    return {OURS: {**dict.fromkeys(FIGURES, ours), **equal}, THEIRS: {**dict.fromkeys(FIGURES, theirs), **equal}}


def test_tools_are_compared_round_by_round() -> None:
    """What slows both down in one round is no difference between them."""
    for each in agreement.agreements([found(101, 100), found(202, 200), found(50.5, 50)]):
        assert each.more == pytest.approx(0.01)
        assert each.low == pytest.approx(0.01)
        assert each.high == pytest.approx(0.01)
        assert (each.ours, each.theirs) == (101, 100)
        assert each.is_within


def test_rounds_that_differ_make_the_interval_wide() -> None:
    """A reader sees that few and unlike rounds prove nothing, on whichever side the median lies."""
    (first, *_) = agreement.agreements([found(120, 100), found(95, 100), found(100, 100)])
    assert first.more == pytest.approx(0.0)
    assert first.low < -0.04
    assert first.high > 0.1
    (far, *_) = agreement.agreements([found(105, 100)])
    assert not far.is_within


def test_another_load_is_told() -> None:
    """Rounds in which the tools did not ask the same are no comparison, and the report says so."""
    same, other = found(1, 1), found(1, 1)
    changed = {**other, OURS: {**other[OURS], "total_output_tokens": 4}}
    assert agreement.unequal([same, changed]) == ["Round 2: total_output_tokens is 4 and 5."]
    what = report.circumstances(datetime.now(UTC), command="compare", is_pinned=True)
    text = agreement.text(what, LOAD, [same, changed])
    assert "* Round 2: total_output_tokens is 4 and 5." in text


def test_every_round_is_in_the_report() -> None:
    """Also those that show the tools apart: nothing is left out."""
    what = report.circumstances(datetime.now(UTC), command="compare", is_pinned=True)
    text = agreement.text(what, LOAD, [found(102, 100), found(130, 100), found(101, 100)])
    summary, rounds = text.split("\n\n")[-2:]
    assert cells(summary)["median_ttft_ms"]["ours is more by"] == "+2.0%"
    assert cells(summary)["median_ttft_ms"]["within 3 %"] == "yes"
    assert rounds.count(OURS) == rounds.count(THEIRS) == 3
    assert "130" in rounds


def test_both_read_the_same_prompts_and_no_round_repeats_any(tmp_path: Path) -> None:
    """The file is ShareGPT's JSON with a question and an answer each, as vLLM's tool wants it."""
    file = tmp_path / "prompts.json"
    seen = set()
    for number in range(3):
        file.write_bytes(agreement.prompts(LOAD, seed=number))
        asked = read_prompts(file)
        assert len(asked) == LOAD.requests
        seen |= {each.turns[0] for each in asked}
        assert all(len(talk["conversations"]) == 2 for talk in codec.loads(file.read_bytes()))
    assert len(seen) == 3 * LOAD.requests


def test_both_ask_the_same(tmp_path: Path) -> None:
    """The same file, as many requests, as many at once, and answers of the same length."""
    file = tmp_path / "prompts.json"
    ours = agreement.our_command("http://127.0.0.1:1", LOAD, file, tmp_path)
    theirs = agreement.their_command("http://127.0.0.1:1", LOAD, file, tmp_path / "result.json", tmp_path)
    for our_flag, their_flag in (
        ("--url", "--base-url"),
        ("--prompts", "--dataset-path"),
        ("--max-tokens", "--sharegpt-output-len"),
        ("--requests", "--num-prompts"),
        ("--concurrency", "--max-concurrency"),
        ("--warmup", "--num-warmups"),
        ("--model", "--model"),
    ):
        assert ours[ours.index(our_flag) + 1] == theirs[theirs.index(their_flag) + 1]


def test_a_tool_that_fails_is_told() -> None:
    """The error says which tool, and what it wrote."""
    with pytest.raises(Failed, match=r"one failed: no such option"):
        agreement._run("one", ["sh", "-c", "echo no such option >&2; exit 2"], {"PATH": "/usr/bin:/bin"})
