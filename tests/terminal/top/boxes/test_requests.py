"""What is under way."""

from dataclasses import replace

from tests.terminal.top.boxes.painting import SCENE, color_of, painted, texts
from vllm_gateway.terminal.top.ink import plain
from vllm_gateway.terminal.top.picture import Picture
from vllm_gateway.terminal.top.view import View


def test_the_oldest_stand_first() -> None:
    """With how old, how far, where, for whom; those without a replica wait."""
    rows = [line.split() for line in texts("requests", 120)[1:]]
    assert rows[0][:5] == ["1m49s", "296", "tiny-8", "tiny-model", "-"]
    assert rows[-1][:4] == ["300ms", "-", "queue", "large-model"]


def test_its_title_says_how_many_and_how_many_wait() -> None:
    """Those who wait have not come to a replica."""
    assert "requests 9, 2 in the queue" in plain(painted("requests")[0])
    assert "queue" not in plain(painted("requests", picture=replace(SCENE.picture, waiting=0))[0])


def test_what_was_tried_again_is_seen() -> None:
    """Replicas that were asked, and those from which a stream went on."""
    lines = painted("requests", 140, view=View(focus="events"))
    assert color_of(lines, "1+1") == SCENE.palette.warn
    assert [plain(line).split()[6] for line in lines[2:6]] == ["1", "1", "1", "1+1"]


def test_nothing_is_said_to_be_nothing() -> None:
    """An idle gateway is no fault."""
    assert texts("requests", picture=Picture())[1] == " Nothing is under way."
