"""A whole run."""

import asyncio
import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest
from typing_extensions import override

from tests.bench.making import planned
from vllm_gateway import codec
from vllm_gateway.bench.plan import Plan
from vllm_gateway.bench.running import run
from vllm_gateway.sim import RunningSim, SimSettings, start


@contextmanager
def sim() -> Iterator[RunningSim]:
    """Run a simulator beside this test, which runs a loop of its own."""
    loop = asyncio.new_event_loop()
    settings = SimSettings(ttft_ms=0, ttft_ms_per_1k=0, itl_ms=1)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    running = asyncio.run_coroutine_threadsafe(start(settings), loop).result(10)
    try:
        yield running
    finally:
        asyncio.run_coroutine_threadsafe(running.close(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def plan(running: RunningSim | None, out: Path, *, plots: bool = False, **groups: dict[str, Any]) -> Plan:
    """Return a small plan for a simulator, or for nobody."""
    url = "http://127.0.0.1:1" if running is None else running.url
    return planned(
        server={"url": url, "model": ()}, load={"requests": 3}, output={"out": out, "plots": plots}, **groups
    )


def test_a_run_writes_and_prints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Report, result, requests and plots in a folder of its own; nothing on a pipe but the figures."""
    with sim() as running:
        assert run(plan(running, tmp_path / "reports", plots=True)) == 0
    told = capsys.readouterr()
    assert "answered" in told.out
    assert told.err == ""
    (folder,) = (tmp_path / "reports").iterdir()
    assert {"report.md", "result.json", "requests.csv", "ttft.svg", "ttft.png"} <= {
        path.name for path in folder.iterdir()
    }
    assert f"written: {folder / 'report.md'}" in told.out


def test_the_result_can_be_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In place of the figures, for the next program."""
    with sim() as running:
        wanted = plan(running, tmp_path)
        wishes = replace(wanted.wishes, output=replace(wanted.wishes.output, json=True))
        assert run(replace(wanted, wishes=wishes)) == 0
    assert codec.loads(capsys.readouterr().out)["completed"] == 3


def test_the_result_is_printed_to_its_last_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where every write takes only a part, as to a full pipe without a buffer before it."""
    printed = bytearray()

    class Narrow(io.RawIOBase):
        @override
        def writable(self) -> bool:
            return True

        @override
        def write(self, data: Any) -> int:
            taken = bytes(data[:100])
            printed.extend(taken)
            return len(taken)

    narrow = io.TextIOWrapper(cast("BinaryIO", Narrow()), write_through=True)  # as Python itself makes it
    monkeypatch.setattr("sys.stdout", narrow)
    with sim() as running:
        wanted = plan(running, tmp_path)
        wishes = replace(wanted.wishes, output=replace(wanted.wishes.output, json=True))
        assert run(replace(wanted, wishes=wishes)) == 0
    assert codec.loads(printed)["completed"] == 3


def test_a_condition_that_holds_is_exit_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And so is a failure that nobody expected."""
    with sim() as running:
        assert run(plan(running, tmp_path, verdict={"fail_if": ("completed > 2",)})) == 1
        running.faults.add(["status=429"])
        assert run(plan(running, tmp_path)) == 1
    assert "FAILED: --fail-if completed > 2" in capsys.readouterr().out


def test_a_run_that_cannot_begin_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is told in one sentence."""
    assert run(plan(None, tmp_path)) == 1
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert told.err.startswith("vllm-gateway bench: http://127.0.0.1:1 cannot be reached")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told_before(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody wants to learn that after an hour."""
    (tmp_path / "file").write_text("")
    assert run(plan(None, tmp_path / "file")) == 1
    assert "cannot be written to: Not a directory. Choose another --out." in capsys.readouterr().err


def test_without_the_library_there_are_no_plots(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything else is there, and the run says how to get them."""
    monkeypatch.setattr("vllm_gateway.bench.running.can_draw", lambda: False)
    with sim() as running:
        assert run(plan(running, tmp_path, plots=True)) == 0
    assert "pip install 'vllm-gateway[bench]'" in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.svg"))


def test_ctrl_c_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit status is that of a program that Ctrl-C has ended."""

    def interrupted(_: Plan) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("vllm_gateway.bench.running._measured", interrupted)
    assert run(plan(None, tmp_path)) == 130
    assert list(tmp_path.iterdir()) == []
