"""What is under way."""

from vllm_gateway.terminal.top.boxes.table import Column, framed_table, text_cell
from vllm_gateway.terminal.top.figures import count, duration
from vllm_gateway.terminal.top.ink import Line, Piece, fitted
from vllm_gateway.terminal.top.picture import RequestRow
from vllm_gateway.terminal.top.scene import Scene

OLD_S = 60.0
"""A request of this age has the colour at the end of the gradient."""


def paint_requests(scene: Scene, width: int, height: int) -> list[Line]:
    """Return the box."""
    title = f"requests {len(scene.picture.requests)}"
    if scene.picture.waiting:
        title += f", {scene.picture.waiting} in the queue"
    return framed_table(
        scene,
        "requests",
        COLUMNS,
        width,
        height,
        title=title,
        color="proc_box",
        empty="Nothing is under way.",
    )


def _age(scene: Scene, row: RequestRow, width: int) -> Line:
    return [Piece(fitted(duration(row.seconds), width, right=True), scene.value_ink("process", row.seconds / OLD_S))]


def _tries(scene: Scene, row: RequestRow, width: int) -> Line:
    told = f"{row.attempts}+{row.resumed}" if row.resumed else str(row.attempts)
    ink = scene.ink("warn" if row.attempts > 1 or row.resumed else "muted")
    return [Piece(fitted(told, width, right=True), ink)]


COLUMNS = (
    Column("age", 6, _age, sort="age", is_right=True),
    Column("tok", 5, text_cell(lambda row: count(row.tokens), right=True), rank=2, sort="tokens", is_right=True),
    Column("replica", 10, text_cell(lambda row: row.replica or "queue"), rank=1, sort="replica", grows=1),
    Column("model", 12, text_cell(lambda row: row.model), rank=3, sort="model", grows=2),
    Column("caller", 10, text_cell(lambda row: row.caller or "-", "muted"), rank=4, sort="caller", grows=1),
    Column("try", 3, _tries, rank=5, is_right=True),
    Column("route", 20, text_cell(lambda row: row.path, "muted"), rank=7, grows=1),
    Column("id", 16, text_cell(lambda row: row.id, "muted"), rank=6, grows=2),
)
