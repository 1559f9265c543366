"""Who and what the last minute was spent on: models, and callers by tokens."""

from vllm_gateway.terminal.top.boxes.replicas import SLOW_ITL_S, SLOW_TTFT_S, time_pair
from vllm_gateway.terminal.top.boxes.table import Column, framed_table, text_cell
from vllm_gateway.terminal.top.figures import count, duration
from vllm_gateway.terminal.top.ink import Line, Piece, fitted
from vllm_gateway.terminal.top.picture import ShareRow
from vllm_gateway.terminal.top.scene import Scene

_BAR = 8


def paint_models(scene: Scene, width: int, height: int) -> list[Line]:
    """Return the box of the models."""
    return _paint(scene, "models", width, height, color="mem_box")


def paint_callers(scene: Scene, width: int, height: int) -> list[Line]:
    """Return the box of the callers."""
    return _paint(scene, "callers", width, height, color="proc_box")


def _paint(scene: Scene, box: str, width: int, height: int, *, color: str) -> list[Line]:
    title = f"{box} in {duration(scene.picture.window_s)}"
    return framed_table(
        scene, box, COLUMNS, width, height, title=title, color=color, empty="No request has ended lately."
    )


def _bar(scene: Scene, row: ShareRow, width: int) -> Line:
    share = row.tokens / total if (total := scene.picture.all.tokens) else 0.0
    full, hollow = scene.glyphs.meter(share, width)
    return [Piece(full, scene.fill_ink("process", share)), Piece(hollow, scene.line_ink("meter_bg"))]


def _failed(scene: Scene, row: ShareRow, width: int) -> Line:
    return [Piece(fitted(count(row.failed), width, right=True), scene.ink("bad" if row.failed else "muted"))]


def _ttft(scene: Scene, row: ShareRow, width: int) -> Line:
    return time_pair(scene, row.ttft.p50, row.ttft.p95, SLOW_TTFT_S, width)


def _itl(scene: Scene, row: ShareRow, width: int) -> Line:
    return time_pair(scene, row.itl.p50, row.itl.p95, SLOW_ITL_S, width)


COLUMNS = (
    Column("name", 10, text_cell(lambda row: row.name or "(no key)"), sort="name", grows=3),
    Column("share", _BAR, _bar, rank=3, sort="tokens", grows=1),
    Column("in", 5, text_cell(lambda row: count(row.prompt_tokens), right=True), rank=1, is_right=True),
    Column("out", 5, text_cell(lambda row: count(row.completion_tokens), right=True), rank=1, is_right=True),
    Column("req", 5, text_cell(lambda row: count(row.requests), right=True), rank=2, sort="requests", is_right=True),
    Column("fail", 5, _failed, rank=2, sort="failed", is_right=True),
    Column("ttft 50  95", 13, _ttft, rank=4, is_right=True),
    Column("itl 50  95", 13, _itl, rank=5, is_right=True),
)
