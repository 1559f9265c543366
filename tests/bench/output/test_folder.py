"""The folder of a run."""

from pathlib import Path

import pytest

from tests.bench.making import answered, findings
from vllm_gateway import codec
from vllm_gateway.bench.output.folder import can_draw, make_folder, write

WALL = 1_700_000_000.0


def test_no_two_runs_share_a_folder(tmp_path: Path) -> None:
    """Also when they begin in the same second; the folder above is made."""
    folders = [make_folder(tmp_path / "reports", WALL) for _ in range(3)]
    assert [each.name for each in folders] == [f"2023-11-14-221320{more}" for more in ("", "-2", "-3")]
    assert all(each.is_dir() for each in folders)


def test_everything_is_written(tmp_path: Path) -> None:
    """Report, result, requests and plots; the first two are named to the user."""
    written = write(findings([answered()]), tmp_path, with_plots=True)
    assert written == [tmp_path / "report.md", tmp_path / "result.json"]
    assert codec.loads((tmp_path / "result.json").read_bytes())["completed"] == 1
    assert (tmp_path / "requests.csv").read_text().count("\n") == 2
    assert "(ttft.svg)" in (tmp_path / "report.md").read_text()
    assert (tmp_path / "ttft.svg").is_file()


def test_plots_may_be_left_out(tmp_path: Path) -> None:
    """Then the report has none."""
    write(findings([answered()]), tmp_path, with_plots=False)
    assert {path.name for path in tmp_path.iterdir()} == {"report.md", "result.json", "requests.csv"}
    assert "svg" not in (tmp_path / "report.md").read_text()


def test_plots_need_their_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is an extra."""
    assert can_draw()
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert not can_draw()
