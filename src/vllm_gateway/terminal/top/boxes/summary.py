"""All requests of the last minute in a few figures."""

from vllm_gateway.terminal.top.boxes.frame import EDGES, framed
from vllm_gateway.terminal.top.boxes.replicas import SLOW_ITL_S, SLOW_TTFT_S
from vllm_gateway.terminal.top.figures import count, duration
from vllm_gateway.terminal.top.ink import Ink, Line, Piece, fitted
from vllm_gateway.terminal.top.scene import Scene

_LABEL = 10


def paint_summary(scene: Scene, width: int, height: int) -> list[Line]:
    """Return the box: what matters most stands first, because a low box ends early."""
    picture, room = scene.picture, max(width - EDGES, 0)
    asked = sum(row.state in {"in", "trying"} for row in picture.replicas)
    rows: list[tuple[str, list[tuple[str, Ink]]]] = [
        ("replicas", [(f"{asked} of {len(picture.replicas)} in", _alarm(scene, asked < len(picture.replicas)))]),
        (
            "requests",
            [
                (f"{len(picture.requests)} now", scene.ink("text")),
                (f"{picture.waiting} queued", _alarm(scene, picture.waiting > 0)),
            ],
        ),
        (
            f"in {duration(picture.window_s)}",
            [
                (f"{count(picture.all.requests)} done", scene.ink("text")),
                (f"{count(picture.all.failed)} failed", _alarm(scene, picture.all.failed > 0, "bad")),
            ],
        ),
        ("ttft 50 95", _times(scene, picture.all.ttft.p50, picture.all.ttft.p95, SLOW_TTFT_S)),
        ("itl  50 95", _times(scene, picture.all.itl.p50, picture.all.itl.p95, SLOW_ITL_S)),
        (
            "tokens",
            [
                (f"{count(picture.all.prompt_tokens)} in", scene.ink("text")),
                (f"{count(picture.all.completion_tokens)} out", scene.ink("text")),
            ],
        ),
    ]
    inside = [_line(scene, label, figures, room) for label, figures in rows]
    return framed(scene, inside, width, height, title="summary", color="mem_box")


def _line(scene: Scene, label: str, figures: list[tuple[str, Ink]], room: int) -> Line:
    each = max((room - _LABEL - 2) // 2, 1)
    pieces = [Piece(" " + fitted(text, each), ink) for text, ink in figures]
    return [Piece(f" {fitted(label, _LABEL)}", scene.ink("muted")), *pieces]


def _times(scene: Scene, p50: float | None, p95: float | None, slow_s: float) -> list[tuple[str, Ink]]:
    return [
        (duration(value), scene.value_ink("temp", value / slow_s) if value is not None else scene.ink("muted"))
        for value in (p50, p95)
    ]


def _alarm(scene: Scene, is_on: bool, name: str = "warn") -> Ink:  # noqa: FBT001 - the only thing that it depends on
    return scene.ink(name if is_on else "text")
