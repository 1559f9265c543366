"""Which key does what."""

from collections import Counter

import pytest

from vllm_gateway.terminal.keys import CHAT, UNSAFE, read_keys


def test_no_key_does_two_things_and_none_is_unsafe() -> None:
    """The usual keys are all different, have ids of their own, and none is another key to a terminal."""
    keys = Counter(key for each in CHAT for key in each.keys.split(","))
    assert [key for key, times in keys.items() if times > 1] == []
    assert keys.keys() & UNSAFE.keys() == set()
    assert len({each.id for each in CHAT}) == len(CHAT)


def test_keys_are_given_by_id() -> None:
    """As a table of a room or as whole ids, one key or several; ids of other rooms are not judged here."""
    given = read_keys({"chat": {"send": "ctrl+x"}, "block.copy": "c , C", "top.sort": "s"})
    assert given == {"chat.send": "ctrl+x", "block.copy": "c,C", "top.sort": "s"}


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({"chat": {"sned": "x"}}, "keys.chat.sned does nothing; did you mean chat.send?"),
        ({"chat.send": 1}, "keys.chat.send must name a key"),
        ({"chat.send": "ctrl+i"}, "cannot be ctrl\\+i: terminals send the same for Tab"),
    ],
)
def test_a_mistake_is_one_sentence(table: dict[str, object], sentence: str) -> None:
    """It names the id, and what was meant or why it cannot be."""
    with pytest.raises(ValueError, match=sentence):
        read_keys(table)
