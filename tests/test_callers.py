"""Who asks."""

from vllm_gateway.callers import ANONYMOUS, Caller, Priority


def test_a_key_that_is_passed_on_is_not_shown() -> None:
    """Not even where a caller is printed by mistake."""
    assert "hush" not in repr(Caller("id", upstream_key=b"hush"))


def test_nobody_in_particular_may_do_what_the_settings_say() -> None:
    """No limits of its own, every model, the ordinary class."""
    assert (ANONYMOUS.id, ANONYMOUS.allowance, ANONYMOUS.models) == ("", None, frozenset())
    assert ANONYMOUS.priority is Priority.STANDARD
