"""Which key is meant."""

from dataclasses import replace

import pytest

from tests.admission.keys.making import WALL, made
from vllm_gateway.admission.keys.store import NameAmbiguous, pick

ANN, BOB, OTHER_ANN = (made(name)[1] for name in ("ann", "bob", "ann"))


def test_a_key_is_named_by_its_id_or_by_a_name_of_its_own() -> None:
    """Either will do; what nobody has is none."""
    assert pick([ANN, BOB], ANN.id) is ANN
    assert pick([ANN, BOB], "bob") is BOB
    assert pick([ANN, BOB], "carl") is None


def test_a_name_that_several_have_is_ambiguous() -> None:
    """The sentence gives the ids; among revoked ones a name counts no more."""
    with pytest.raises(NameAmbiguous, match=f"{ANN.id}, {OTHER_ANN.id}"):
        pick([ANN, BOB, OTHER_ANN], "ann")
    over = replace(ANN, revoked=WALL)
    assert pick([over, BOB, OTHER_ANN], "ann") is OTHER_ANN
    assert pick([over], over.id) is over
