"""What did not go as it should."""

from tests.terminal.top.boxes.painting import SCENE, color_of, painted, texts
from vllm_gateway.terminal.top.picture import Picture
from vllm_gateway.terminal.top.view import View


def test_the_latest_stand_first() -> None:
    """When, what, where, for whom, after how long."""
    rows = [line.split() for line in texts("events", 120)[1:5]]
    assert rows[0][:6] == ["22:13:16", "ok", "resumed", "tiny-2", "tiny-model", "ann"]
    assert [row[0] for row in rows] == ["22:13:16", "22:12:49", "22:12:20", "22:12:05"]


def test_colours_say_whose_trouble_it_was() -> None:
    """What was made good, what the caller did, what failed."""
    lines = painted("events", view=View(focus="replicas"))
    palette = SCENE.palette
    for text, color in (("ok resumed", palette.good), ("refused limit", palette.warn), ("upstream error", palette.bad)):
        assert color_of(lines, text) == color


def test_no_event_is_good_news() -> None:
    """And it is said that one would stand here."""
    assert texts("events", picture=Picture())[1] == " No error, retry or resume."
