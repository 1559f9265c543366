"""Keys as Textual binds them."""

from vllm_gateway.terminal.chat.bindings import bindings, keymap


def test_bindings_have_the_ids_by_which_they_are_changed() -> None:
    """Keys, action, what is said of them, and the id."""
    (made,) = bindings("chat.regenerate", is_priority=True)
    assert not isinstance(made, tuple)
    assert (made.key, made.action, made.id, made.priority) == ("ctrl+r", "regenerate", "chat.regenerate", True)


def test_only_our_own_keys_are_changed() -> None:
    """Keys of other programs in the terminal are left to those."""
    assert keymap({"chat.send": "ctrl+x", "top.sort": "s"}) == {"chat.send": "ctrl+x"}
