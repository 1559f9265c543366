"""How `top` is to look."""

import pytest
from textual.binding import Binding

from tests.terminal.top.fleet import Still, picture, shown
from vllm_gateway.terminal.settings import SettingsMistaken, read_settings
from vllm_gateway.terminal.top.app import Top
from vllm_gateway.terminal.top.canvas import Canvas
from vllm_gateway.terminal.top.wishes import ACTIONS, Wishes, read_wishes


def test_the_users_file_says_how_it_is_to_look() -> None:
    """The theme is that of the chat too; what it does not say is as usual."""
    text = 'color_theme = "moss"\n[top]\nurl = "http://h:1"\npreset = 3\nevery_s = 2\n[keys.top]\ndrain = "D"\n'
    assert read_wishes(read_settings(text)) == Wishes(
        url="http://h:1", preset=3, every_s=2, theme="moss", keys={"top.drain": "D"}
    )
    assert read_wishes(read_settings("")) == Wishes()


def test_what_is_said_comes_before_what_was_wished() -> None:
    """And what is not said changes nothing."""
    assert Wishes(preset=3, theme="moss").over(preset=2, theme=None) == Wishes(preset=2, theme="moss")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[top]\npresett = 1\n", "nothing is called top.presett; did you mean preset?"),
        ('[top]\nevery_s = "1"\n', "top.every_s must be a number."),
        ("[top]\npreset = true\n", "top.preset must be a whole number."),
        ("[top]\npreset = 6\n", "top.preset must be one of 1, 2, 3, 4, 5."),
        ("[top]\nevery_s = 0.01\n", "top.every_s must be from 0.1 to 3600."),
        ('[keys.top]\ndrian = "D"\n', "keys.top.drian does nothing; did you mean drain?"),
    ],
)
def test_a_mistake_in_it_is_told(text: str, told: str) -> None:
    """In one sentence, with what was meant."""
    with pytest.raises(SettingsMistaken) as mistake:
        read_wishes(read_settings(text))
    assert str(mistake.value) == told


def test_a_key_is_kept_to_oneself() -> None:
    """It is in no message and no log."""
    assert "secret" not in repr(Wishes(admin_key="secret"))


def test_every_action_can_have_another_key() -> None:
    """But for the presets, whose keys are their numbers."""
    bindings = [each for each in (*Top.BINDINGS, *Canvas.BINDINGS) if isinstance(each, Binding)]
    assert {each.id for each in bindings if each.id} == {f"top.{action}" for action in ACTIONS}


async def test_other_keys_take_the_place_of_the_usual_ones() -> None:
    """Those do nothing any more."""
    async with shown(Still(picture()), keys={"top.pause": "z", "top.next-box": "ctrl+b"}) as (app, pilot):
        await pilot.press("space")
        assert not app._view.is_paused
        await pilot.press("z", "ctrl+b")
        assert (app._view.is_paused, app._view.focus) == (True, "requests")
