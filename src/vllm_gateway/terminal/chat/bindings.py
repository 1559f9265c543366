"""The keys of `terminal/keys.py` as Textual binds them."""

from collections.abc import Mapping

from textual.binding import Binding, BindingType

from vllm_gateway.terminal.keys import CHAT

_BY_ID = {key.id: key for key in CHAT}


def bindings(*ids: str, is_priority: bool = False) -> list[BindingType]:
    """Return the bindings of these actions; the user's keys go over them by their ids."""
    return [
        Binding(
            _BY_ID[each].keys,
            _BY_ID[each].action,
            _BY_ID[each].says,
            show=_BY_ID[each].is_shown,
            priority=is_priority,
            id=each,
        )
        for each in ids
    ]


def keymap(given: Mapping[str, str]) -> dict[str, str]:
    """Return the user's keys, without those of other programs in the terminal."""
    return {name: keys for name, keys in given.items() if name in _BY_ID}
