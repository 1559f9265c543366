"""One picture, printed."""

from tests.terminal.top.fleet import WALL, picture
from vllm_gateway import codec
from vllm_gateway.terminal.top.glyphs import ASCII, PLAIN
from vllm_gateway.terminal.top.once import printed, printed_json
from vllm_gateway.terminal.top.picture import Picture


def test_people_get_every_row() -> None:
    """Of every box, and no colours; without Unicode where there is none."""
    text = printed(picture(30), wall=WALL, glyphs=PLAIN, width=100)
    assert all(f" tiny-{number} " in text for number in range(1, 31))
    assert all(f"request-{number}" in text for number in (12, 66, 71, 90))
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) == 100
    assert printed(picture(), wall=WALL, glyphs=ASCII, width=100).isascii()


def test_an_empty_fleet_is_said_to_be_one() -> None:
    """In every box."""
    text = printed(Picture(), wall=WALL, glyphs=PLAIN, width=80)
    assert "No replica is known" in text
    assert "Nothing is under way." in text


def test_programs_get_json() -> None:
    """All of the picture."""
    told = codec.loads(printed_json(picture(2)))
    assert [row["name"] for row in told["replicas"]] == ["tiny-1", "tiny-2"]
    assert told["object"] == "top"
