"""The replicas."""

from tests.terminal.top.boxes.painting import SCENE, color_of, painted, texts
from tests.terminal.top.fleet import replica
from vllm_gateway.terminal.top.picture import Percentiles, Picture
from vllm_gateway.terminal.top.view import View

AWAY = View(focus="events")


def test_a_replica_is_told_in_one_line() -> None:
    """Its state, how busy, how full, how fast, how slow."""
    row = replica(
        1,
        running=7,
        waiting=2,
        kv=0.425,
        hits=0.9,
        read_per_s=4300.0,
        made_per_s=812.0,
        ttft=Percentiles(0.084, 1.2),
        itl=Percentiles(0.011, 0.045),
    )
    line = texts("replicas", picture=Picture(replicas=(row,)))[1].split()
    assert [part for part in line if "■" not in part] == [
        *("tiny-1", "in", "7", "2", "42%", "90%", "4.3k", "812", "84ms", "1.2s", "11ms", "45ms")
    ]


def test_what_is_not_known_is_a_dash() -> None:
    """Not 0: a replica that is out tells nothing."""
    line = texts("replicas", picture=Picture(replicas=(replica(5),)))[1].split()
    assert (line[1], set(line[2:]) - {line[4]}) == ("out", {"-"})


def test_why_it_is_out_is_told_where_there_is_room() -> None:
    """Otherwise only that it is."""
    out = Picture(replicas=(replica(5),))
    assert "out stalled" in texts("replicas", 170, picture=out)[1]
    assert "out  " in texts("replicas", 80, picture=out)[1]


def test_colours_say_how_bad_it_is() -> None:
    """States, and times by how slow they are."""
    rows = (replica(1, ttft=Percentiles(0.0, 9.0)), replica(5), replica(6))
    lines = painted("replicas", picture=Picture(replicas=rows), view=AWAY)
    palette = SCENE.palette
    assert [color_of(lines, text) for text in ("in  ", "out ", "drained")] == [palette.good, palette.bad, palette.warn]
    assert color_of(lines, "9.0s") == palette.values["temp"][100]
    assert color_of(lines, "0.0ms") == palette.values["temp"][0]


def test_a_wide_screen_shows_what_was() -> None:
    """A graph for each replica, all on one scale, and its models."""
    wide = texts("replicas", 170)
    assert "out/s so far" in wide[0]
    assert any("⣀" <= letter <= "⣿" for letter in wide[1])
    assert wide[1].endswith("tiny-model")
    assert "so far" not in texts("replicas", 100)[0]


def test_a_fleet_of_none_is_said_to_be_one() -> None:
    """That is a mistake in the settings."""
    assert texts("replicas", picture=Picture())[1] == " No replica is known to this gateway."
