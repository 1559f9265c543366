"""What cannot be done is refused before anything is started."""

import pytest

from vllm_gateway.launch.wishes import Wishes, WishImpossible


@pytest.mark.parametrize(
    ("wishes", "sentence"),
    [
        (Wishes(()), "Name a model"),
        (Wishes(("a", "a")), "named twice"),
        (Wishes(("a", "--trust-remote-code")), "would take it for a flag"),
        (Wishes(("a",), command=()), "--engine-command is empty"),
        (Wishes(("a",), gpus=1, tp=2), "give --gpus 2"),
        (Wishes(("a",), gpus=3, tp=2), "groups of --tp 2"),
    ],
)
def test_impossible_wishes_are_refused_in_a_sentence(wishes: Wishes, sentence: str) -> None:
    """It says what to do."""
    with pytest.raises(WishImpossible, match=sentence):
        wishes.check()


def test_on_a_cpu_accelerators_do_not_matter() -> None:
    """There are none to share out."""
    Wishes(("a", "b"), gpus=1, tp=2, on_cpu=True).check()
