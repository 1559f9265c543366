"""A run beside an earlier one."""

from pathlib import Path

import pytest

from vllm_gateway import codec
from vllm_gateway.bench.figures.comparison import Change, EarlierUnreadable, changes, doubts, named, read_earlier


def test_changes_are_of_what_both_have() -> None:
    """In percent of what it was; faster and more is better, slower and less is worse."""
    then = {"p99_ttft_ms": 100, "request_throughput": 10.0, "failed": 0, "duration": 3, "mean_itl_ms": None, "x": 1}
    now = {"p99_ttft_ms": 90.0, "request_throughput": 9.0, "failed": 2.0, "duration": 4.0, "mean_itl_ms": 1.0}
    found = {each.name: (each.percent, each.is_better) for each in changes(then, now)}
    assert found == {
        "p99_ttft_ms": (-10.0, True),
        "request_throughput": (-10.0, False),
        "failed": (None, False),
        "duration": (pytest.approx(33.3, abs=0.1), None),
    }


def test_what_stays_is_neither_better_nor_worse() -> None:
    """Zero too."""
    assert (Change("failed", 0, 0).percent, Change("failed", 0, 0).is_better) == (0.0, None)


def test_conditions_know_changes_by_name() -> None:
    """With a word before them, so that they are not taken for the figures."""
    assert named([Change("p99_ttft_ms", 10, 11)]) == {"change.p99_ttft_ms": 10.0}


def test_runs_of_other_loads_are_told_apart() -> None:
    """Only what an earlier run says of its load can be compared; one that says nothing, as vLLM's, is told as well."""
    then = {"gateway": {"load": {"model": "m", "stream": True}}}
    (other,) = doubts(then, {"model": "n", "stream": True, "turns": 2})
    assert "differs in model:" in other
    assert doubts(then, {"model": "m", "stream": True}) == []
    (unknown,) = doubts({}, {"model": "n"})
    assert "does not tell what it asked" in unknown


def test_how_much_was_asked_is_no_merit() -> None:
    """More answers of a longer run are neither better nor worse; more tokens in the best second are."""
    assert Change("completed", 10, 400).is_better is None
    assert Change("max_output_tokens_per_s", 500, 50).is_better is False


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "cannot be read: No such file"),
        ("{", "is no JSON"),
        ("[]", "is no result of a load test"),
        ('{"x": 1}', "is no result of a load test"),
    ],
)
def test_another_file_is_a_mistake(tmp_path: Path, text: str | None, sentence: str) -> None:
    """The sentence names it."""
    path = tmp_path / "old.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(EarlierUnreadable, match=sentence) as caught:
        read_earlier(path)
    assert f"--vs {path}" in str(caught.value)


def test_a_result_of_another_tool_will_do(tmp_path: Path) -> None:
    """One of `vllm bench serve` has the same names."""
    path = tmp_path / "vllm.json"
    path.write_bytes(codec.dumps({"duration": 2.0, "completed": 10, "mean_ttft_ms": 5.0, "tokenizer_id": "m"}))
    assert read_earlier(path)["completed"] == 10
