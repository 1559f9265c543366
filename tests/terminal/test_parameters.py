"""The parameters of an answer."""

import pytest

from vllm_gateway.terminal.parameters import Parameters


def test_what_is_not_set_is_not_sent() -> None:
    """Empty texts leave a parameter to the server; zero is a value."""
    parameters = Parameters.read({"temperature": "0", "top_p": " ", "max_tokens": 12, "other": 1})
    assert parameters.body() == {"temperature": 0.0, "max_tokens": 12}
    assert isinstance(parameters.body()["max_tokens"], int)


@pytest.mark.parametrize(
    ("name", "text"),
    [("temperature", "2.1"), ("temperature", "nan"), ("top_p", "x"), ("max_tokens", "0"), ("seed", "1.5")],
)
def test_a_mistake_says_what_may_be(name: str, text: str) -> None:
    """The sentence has the parameter, its bounds and what was said."""
    with pytest.raises(ValueError, match=rf"^{name} is a .*number from .* to .*, not '{text}'\.$"):
        Parameters.read({name: text})


def test_one_set_goes_over_another() -> None:
    """What the first says counts, and the second fills the rest."""
    assert Parameters(seed=1).over(Parameters(seed=2, top_p=0.5)) == Parameters(seed=1, top_p=0.5)
