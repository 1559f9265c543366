"""What did not go as it should: errors, retries, resumes."""

from vllm_gateway.terminal.top.boxes.table import Column, framed_table, text_cell
from vllm_gateway.terminal.top.figures import duration
from vllm_gateway.terminal.top.ink import Line, Piece, fitted
from vllm_gateway.terminal.top.picture import EventRow
from vllm_gateway.terminal.top.scene import Scene

_MENDED = frozenset({"ok_retried", "ok_resumed"})
_CALLERS_OWN = frozenset({"bad_request", "auth", "refused_limit"})


def paint_events(scene: Scene, width: int, height: int) -> list[Line]:
    """Return the box."""
    return framed_table(
        scene,
        "events",
        COLUMNS,
        width,
        height,
        title="events",
        color="net_box",
        empty="No error, retry or resume.",
    )


def _time(scene: Scene, row: EventRow, width: int) -> Line:
    return [Piece(fitted(scene.time(row.at), width), scene.ink("muted"))]


def _outcome(scene: Scene, row: EventRow, width: int) -> Line:
    ink = "good" if row.outcome in _MENDED else "warn" if row.outcome in _CALLERS_OWN else "bad"
    return [Piece(fitted(row.outcome.replace("_", " "), width), scene.ink(ink))]


COLUMNS = (
    Column("time", 8, _time, sort="time"),
    Column("outcome", 16, _outcome, sort="outcome", grows=1),
    Column("replica", 10, text_cell(lambda row: row.replica or "-"), rank=1, sort="replica", grows=1),
    Column("model", 12, text_cell(lambda row: row.model or "-"), rank=3, grows=1),
    Column("caller", 10, text_cell(lambda row: row.caller or "-", "muted"), rank=4, grows=1),
    Column("after", 6, text_cell(lambda row: duration(row.seconds), "muted", right=True), rank=2, is_right=True),
    Column("try", 3, text_cell(lambda row: str(row.attempts), "muted", right=True), rank=5, is_right=True),
    Column("id", 16, text_cell(lambda row: row.id, "muted"), rank=6, grows=2),
)
