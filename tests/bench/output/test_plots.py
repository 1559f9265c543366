"""The plots."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.bench.making import answered, failed, findings, paired
from vllm_gateway.bench.figures.knee import Step
from vllm_gateway.bench.figures.summary import summarize
from vllm_gateway.bench.findings import Findings
from vllm_gateway.bench.output.plots import draw

PNG = b"\x89PNG"
GOOD, BAD = summarize([answered()], 1.0), summarize([failed()], 1.0)


@pytest.mark.parametrize(
    ("found", "names"),
    [
        (paired([answered()] * 2, [answered(), failed()]), ["ttft", "e2e", "latency", "errors"]),
        (findings([failed(), failed(1.0, "cut")]), ["errors"]),
        (
            findings([answered(first_output_at=None)], steps=(Step(1, GOOD), Step(2, BAD))),
            ["e2e", "latency", "sweep"],
        ),
        (findings([]), []),
    ],
)
def test_what_there_is_to_show_is_drawn(tmp_path: Path, found: Findings, names: list[str]) -> None:
    """As SVG and as PNG, each with its title."""
    drawn = draw(found, tmp_path)
    assert [name for _, name in drawn] == [f"{name}.svg" for name in names]
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.{kind}" for name in names for kind in ("svg", "png")}
    for title, name in drawn:
        assert title
        assert ET.parse(tmp_path / name).getroot().tag.endswith("svg")  # noqa: S314 - we made it ourselves
        assert (tmp_path / name).with_suffix(".png").read_bytes().startswith(PNG)


def test_the_same_findings_make_the_same_plot(tmp_path: Path) -> None:
    """Byte by byte, so that a report that is kept in git changes only with its figures."""
    found = findings([failed()])
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    draw(found, one)
    draw(found, other)
    assert (one / "errors.svg").read_bytes() == (other / "errors.svg").read_bytes()
