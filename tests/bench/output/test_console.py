"""What is printed."""

from pathlib import Path

from tests.bench.making import answered, failed, findings, paired, planned
from vllm_gateway.bench.figures.knee import Step
from vllm_gateway.bench.figures.summary import summarize
from vllm_gateway.bench.output.console import knee_in_words, rows, told
from vllm_gateway.bench.output.tables import Table


def test_columns_stand_below_each_other() -> None:
    """Words begin at one place, figures end at one."""
    table = Table(["what", "n"], [["a", "1"], ["longer", "100"]])
    assert list(rows(table)) == ["  what      n", "  a         1", "  longer  100"]
    assert list(rows(Table(["", ""], [["a", "1"]]))) == ["  a  1"]


def test_a_run_is_told_in_plain_text() -> None:
    """What was measured where, the figures, and what was written."""
    text = told(findings([answered(), answered()]), [Path("reports/x/report.md")])
    assert text.startswith("m at http://a:1: closed loop, 1 at once, 10 requests\n")
    assert "TTFT" in text
    assert text.endswith("written: reports/x/report.md\n")
    assert "FAILED" not in text


def test_reasons_to_fail_are_told() -> None:
    """Each on one line, with the words of the first such failure."""
    plan = planned(verdict={"fail_if": ("failed > 0",)})
    text = told(findings([answered(), failed(), failed()], plan, notes=("look out",)), [])
    assert "note: look out\n" in text
    assert "FAILED: --fail-if failed > 0\n" in text
    assert "FAILED: 2 requests with http_503: out of order\n" in text
    assert "FAILED: no request was answered." in told(findings([failed()]), [])


def test_what_the_gateway_adds_is_told() -> None:
    """Beside the figures of both."""
    text = told(paired([answered(ttft=0.15)] * 2, [answered(ttft=0.1)] * 2), [])
    assert "+50.000 .. +50.000" in text
    assert "\ndirect\n" in text


def test_the_knee_is_told_in_a_sentence() -> None:
    """Also where there is none, or none was reached."""
    good, bad = summarize([answered()], 1.0), summarize([failed()], 1.0)
    plan = planned(load={"sweep": "1,2"}, verdict={"goodput": ("ttft:200",)})

    def sentence(*steps: Step) -> str:
        return knee_in_words(findings([answered()], plan, steps=steps))

    assert sentence(Step(1, bad)) == "No rate that was tried has 95% of answers within ttft:200."
    assert sentence(Step(1, good), Step(2, bad)).endswith("within ttft:200 is 1 requests/s.")
    assert sentence(Step(1, good), Step(2, good)).endswith("is 2 requests/s, the highest that was tried.")


def test_everything_that_was_measured_is_told(tmp_path: Path) -> None:
    """Models, rates and changes have their tables."""
    path = tmp_path / "old.json"
    path.write_text('{"median_ttft_ms": 50.0}')
    plan = planned(load={"sweep": "1,2"}, verdict={"goodput": ("ttft:200",), "vs": path})
    records = [answered(), answered(model="n")]
    text = told(findings(records, plan, steps=(Step(1, summarize(records, 1.0)),)), [])
    assert all(word in text for word in ("\n  model ", "\n  rate/s ", "\n  figure ", "the highest that was tried"))
