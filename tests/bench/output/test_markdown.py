"""The report."""

from pathlib import Path

from tests.bench.making import answered, failed, findings, paired, planned
from vllm_gateway.bench.figures.knee import Step
from vllm_gateway.bench.figures.summary import summarize
from vllm_gateway.bench.output.formulas import FORMULAS
from vllm_gateway.bench.output.markdown import report, rows
from vllm_gateway.bench.output.tables import Table


def test_a_report_says_what_was_done_and_how_it_is_computed() -> None:
    """The load, the server, the command, the figures, the plots, every formula."""
    plan = planned(server={"api_key": "sk-secret"})
    text = report(findings([answered()], plan), [("Title", "ttft.svg")])
    assert text.startswith("# Load test of m\n")
    for part in (
        "| server | http://a:1 (version 1.2.3) |",
        "closed loop, 1 at once",
        "vllm-gateway bench --model m --api-key ...\n",
    ):
        assert part in text
    assert "made up, 64 tokens in, 64 out wanted; the server counts 20 to 20 in" in text
    assert "![Title](ttft.svg)" in text
    assert all(formula in text for formula in FORMULAS.values())
    assert "sk-secret" not in text
    assert "To be known" not in text


def test_what_went_wrong_stands_at_the_beginning() -> None:
    """Before any figure."""
    text = report(findings([answered(), failed()], notes=("look out",)), [])
    assert "* note: look out\n* FAILED: 1 requests with http_503" in text
    assert text.index("look out") < text.index("## Figures")
    assert "## Plots" not in text


def test_comparisons_have_their_sections(tmp_path: Path) -> None:
    """What the gateway adds, models, rates, and changes."""
    path = tmp_path / "old.json"
    path.write_text('{"median_ttft_ms": 50.0}')
    assert "## What the gateway adds" in report(paired([answered()], [answered()]), [])
    plan = planned(load={"sweep": "1,2"}, verdict={"goodput": ("ttft:200",), "vs": path})
    records = [answered(), answered(model="n")]
    text = report(findings(records, plan, steps=(Step(1, summarize(records, 1.0), "busy"),)), [])
    for part in ("## By model", "## Rates", "the client itself was the limit", f"## Compared with {path}"):
        assert part.lower() in text.lower()


def test_prompts_are_described(tmp_path: Path) -> None:
    """Those of a file by its name, made-up ones by their shape."""
    path = tmp_path / "talks.txt"
    path.write_text("a\nb")
    assert "| talks.txt, 2 conversations |" in report(findings([], planned(prompts={"prompts": path})), [])
    plan = planned(prompts={"shared_prefix": 50, "prefixes": 2, "turns": 3})
    text = report(findings([], plan), [])
    assert "64 out wanted, 2 shared prefixes of 50 tokens, 3 turns |" in text


def test_tables_are_markdown() -> None:
    """Figures to the right."""
    assert list(rows(Table(["a", "b"], [["x", "1"]]))) == ["| a | b |", "|---|---:|", "| x | 1 |"]
