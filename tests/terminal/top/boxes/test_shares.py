"""Who and what the last minute was spent on."""

from dataclasses import replace

from tests.terminal.top.boxes.painting import SCENE, color_of, painted, texts
from vllm_gateway.terminal.top.ink import plain
from vllm_gateway.terminal.top.picture import Picture
from vllm_gateway.terminal.top.view import View


def test_whoever_used_most_stands_first() -> None:
    """Tokens in and out, requests, failures, times."""
    rows = [[part for part in line.split() if "■" not in part] for line in texts("callers", 110)[1:4]]
    assert rows[0] == ["ann", "200k", "61k", "410", "1", "80ms", "500ms", "10ms", "30ms"]
    assert [row[0] for row in rows] == ["ann", "nightly", "(no"]


def test_a_bar_is_as_long_as_the_share() -> None:
    """Of all tokens; the rest of it has the colour of what is empty."""
    lines = painted("models", view=View(focus="events"))
    empty = SCENE.palette.colors["meter_bg"]
    full = [sum(len(p.text) for p in line if "■" in p.text and p.ink.color != empty) for line in lines[2:4]]
    assert full[0] > full[1] > 0


def test_failures_are_seen() -> None:
    """In the colour of what is bad."""
    only = replace(SCENE.picture.models[0], failed=77)
    lines = painted("models", picture=Picture(models=(only,)), view=View(focus="events"))
    assert color_of(lines, "77") == SCENE.palette.bad


def test_its_title_says_over_how_long() -> None:
    """Less than a minute where there is too much for one."""
    assert "models in 12s" in plain(painted("models", picture=Picture(window_s=12.0))[0])
    assert texts("callers", picture=Picture())[1] == " No request has ended lately."
