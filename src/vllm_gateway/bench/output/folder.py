"""The folder of a run: report, result, requests and plots."""

import importlib.util
from datetime import UTC, datetime
from pathlib import Path

from vllm_gateway import codec
from vllm_gateway.bench.findings import Findings
from vllm_gateway.bench.output.markdown import report
from vllm_gateway.bench.output.requests_csv import requests_csv
from vllm_gateway.bench.output.result_json import result

NO_PLOTS = "there are no plots, for matplotlib is not installed: pip install 'vllm-gateway[bench]', or say --no-plots."


def can_draw() -> bool:
    """Say whether plots can be drawn here."""
    return importlib.util.find_spec("matplotlib") is not None


def make_folder(out: Path, wall: float) -> Path:
    """Make the folder of a run that began at `wall`, and return it; no two runs share one."""
    name = f"{datetime.fromtimestamp(wall, UTC):%Y-%m-%d-%H%M%S}"
    number = 1
    while True:
        folder = out / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            number += 1
        else:
            return folder


def write(found: Findings, folder: Path, *, with_plots: bool) -> list[Path]:
    """Write everything, and return what a person looks at first."""
    plots: list[tuple[str, str]] = []
    if with_plots:
        from vllm_gateway.bench.output.plots import draw  # noqa: PLC0415 - an extra, and slow to import

        plots = draw(found, folder)
    (folder / "result.json").write_bytes(codec.dumps_pretty(result(found)))
    (folder / "requests.csv").write_text(requests_csv(found), encoding="utf-8")
    page = folder / "report.md"
    page.write_text(report(found, plots), encoding="utf-8")
    return [page, folder / "result.json"]
