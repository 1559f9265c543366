"""The replicas: how they are, how full, how fast."""

from vllm_gateway.terminal.top.boxes.table import Column, framed_table, text_cell
from vllm_gateway.terminal.top.figures import count, duration, percent
from vllm_gateway.terminal.top.ink import Line, Piece, fitted
from vllm_gateway.terminal.top.picture import ReplicaRow
from vllm_gateway.terminal.top.scene import Scene

SLOW_TTFT_S = 2.0
SLOW_ITL_S = 0.1
"""What counts as slow: a number of this size has the colour at the end of its gradient."""
_STATES = {"in": "good", "trying": "warn", "out": "bad", "drained": "warn", "asleep": "muted", "new": "muted"}
_KV_TEXT = 5


def paint_replicas(scene: Scene, width: int, height: int) -> list[Line]:
    """Return the box."""
    return framed_table(
        scene,
        "replicas",
        COLUMNS,
        width,
        height,
        title="replicas",
        color="cpu_box",
        empty="No replica is known to this gateway.",
    )


def _state(scene: Scene, row: ReplicaRow, width: int) -> Line:
    told = f"{row.state} {row.cause}" if row.cause and row.state in {"out", "trying"} else row.state
    if len(told) > width:
        told = row.state
    return [Piece(fitted(told, width), scene.ink(_STATES[row.state]))]


def _running(scene: Scene, row: ReplicaRow, width: int) -> Line:
    ink = scene.ink("text" if row.running else "muted")
    return [Piece(fitted(count(row.running), width, right=True), ink)]


def _waiting(scene: Scene, row: ReplicaRow, width: int) -> Line:
    ink = scene.ink("warn" if row.waiting else "muted")
    return [Piece(fitted(count(row.waiting), width, right=True), ink)]


def _kv(scene: Scene, row: ReplicaRow, width: int) -> Line:
    """Draw a meter, every cell in the colour of its own height, and the figure behind it."""
    figure = fitted(percent(row.kv), _KV_TEXT, right=True)
    cells = width - _KV_TEXT
    full, hollow = scene.glyphs.meter(row.kv or 0.0, cells)
    meter = [Piece(each, scene.fill_ink("used", (at + 1) / cells)) for at, each in enumerate(full)]
    ink = scene.value_ink("used", row.kv) if row.kv is not None else scene.ink("muted")
    return [*meter, Piece(hollow, scene.line_ink("meter_bg")), Piece(figure, ink)]


def _hits(scene: Scene, row: ReplicaRow, width: int) -> Line:
    ink = scene.value_ink("cached", row.hits) if row.hits else scene.ink("muted")
    return [Piece(fitted(percent(row.hits), width, right=True), ink)]


def _read(scene: Scene, row: ReplicaRow, width: int) -> Line:
    ink = scene.value_ink("download", 1) if row.read_per_s else scene.ink("muted")
    return [Piece(fitted(count(row.read_per_s), width, right=True), ink)]


def _made(scene: Scene, row: ReplicaRow, width: int) -> Line:
    ink = scene.value_ink("upload", 1) if row.made_per_s else scene.ink("muted")
    return [Piece(fitted(count(row.made_per_s), width, right=True), ink)]


def _graph(scene: Scene, row: ReplicaRow, width: int) -> Line:
    """Draw the speed of the last minutes; the fastest replica fills its line, so that lines can be compared."""
    most = max((max(scene.history.made_by(each.name), default=0.0) for each in scene.picture.replicas), default=0.0)
    (line,) = scene.glyphs.graph(scene.history.made_by(row.name), width, 1, most)
    share = (row.made_per_s or 0.0) / most if most else 0.0
    return [Piece(line, scene.fill_ink("upload", max(share, 0.3)))]


def _ttft(scene: Scene, row: ReplicaRow, width: int) -> Line:
    return time_pair(scene, row.ttft.p50, row.ttft.p95, SLOW_TTFT_S, width)


def _itl(scene: Scene, row: ReplicaRow, width: int) -> Line:
    return time_pair(scene, row.itl.p50, row.itl.p95, SLOW_ITL_S, width)


def time_pair(scene: Scene, p50: float | None, p95: float | None, slow_s: float, width: int) -> Line:
    """Draw the median and the 95th percentile of a time, each in the colour of how slow it is."""
    half = (width - 1) // 2
    pieces = []
    for value, room in ((p50, half), (p95, width - half - 1)):
        ink = scene.value_ink("temp", value / slow_s) if value is not None else scene.ink("muted")
        pieces.append(Piece(fitted(duration(value), room, right=True), ink))
    return [pieces[0], Piece(" ", scene.ink("text")), pieces[1]]


COLUMNS = (
    Column("replica", 12, text_cell(lambda row: row.name), sort="name", grows=2),
    Column("state", 8, _state, sort="state", grows=1),
    Column("run", 4, _running, rank=1, sort="running", is_right=True),
    Column("wait", 4, _waiting, rank=1, sort="waiting", is_right=True),
    Column("kv cache", 13, _kv, rank=2, sort="kv", grows=1),
    Column("hits", 5, _hits, rank=6, sort="hits", is_right=True),
    Column("in/s", 5, _read, rank=4, sort="in/s", is_right=True),
    Column("out/s", 5, _made, rank=3, sort="out/s", is_right=True),
    Column("ttft 50  95", 13, _ttft, rank=5, sort="ttft", is_right=True),
    Column("itl 50  95", 13, _itl, rank=7, sort="itl", is_right=True),
    Column("out/s so far", 12, _graph, rank=8, grows=3),
    Column("model", 14, text_cell(lambda row: ", ".join(row.models), "muted"), rank=9, grows=1),
)
