"""All requests of the last minute in a few figures."""

from dataclasses import replace

from tests.terminal.top.boxes.painting import SCENE, color_of, painted, texts
from vllm_gateway.terminal.top.picture import Picture, ShareRow


def test_what_matters_most_stands_first() -> None:
    """Replicas that are asked, what is under way, what was, how fast, how much."""
    assert [line.split() for line in texts("summary", 42, 8)] == [
        ["replicas", "5", "of", "8", "in"],
        ["requests", "9", "now", "2", "queued"],
        ["in", "1m00s", "908", "done", "3", "failed"],
        ["ttft", "50", "95", "90ms", "700ms"],
        ["itl", "50", "95", "12ms", "40ms"],
        ["tokens", "389k", "in", "107k", "out"],
    ]
    assert len(texts("summary", 42, 5)) == 3


def test_what_is_not_well_is_seen() -> None:
    """Replicas that are out, requests that wait or failed; otherwise all is in the colour of text."""
    palette = SCENE.palette
    lines = painted("summary")
    assert [color_of(lines, text) for text in ("5 of 8", "queued", "failed")] == [
        palette.warn,
        palette.warn,
        palette.bad,
    ]
    well = replace(
        SCENE.picture, replicas=SCENE.picture.replicas[:1], waiting=0, all=replace(SCENE.picture.all, failed=0)
    )
    lines = painted("summary", picture=well)
    assert {color_of(lines, text) for text in ("1 of 1", "queued", "failed")} == {palette.text}


def test_nothing_yet_is_no_number() -> None:
    """Times that nobody took are dashes."""
    lines = texts("summary", picture=Picture(all=ShareRow("", 0, 0, 0, 0, SCENE.picture.all.ttft, Picture().all.itl)))
    assert lines[4].split() == ["itl", "50", "95", "-", "-"]
