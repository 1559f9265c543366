"""The sim's settings."""

import pytest

from vllm_gateway.sim.faults.grammar import FaultInvalid
from vllm_gateway.sim.settings import SimSettings


def test_a_cache_too_small_for_one_answer_is_refused() -> None:
    """Such a sim would let a caller wait for ever."""
    with pytest.raises(ValueError, match=r"kv_blocks=1 cannot hold one answer of 4096 tokens\."):
        SimSettings(kv_blocks=1)


def test_a_sim_without_any_model_is_refused() -> None:
    """There would be nothing to ask."""
    with pytest.raises(ValueError, match=r"The sim needs at least one model\."):
        SimSettings(models=(), embedding_models=())


def test_a_fault_that_is_none_is_refused() -> None:
    """A slip in a flag is told at the start, not when it should have happened."""
    with pytest.raises(FaultInvalid, match="Did you mean 'reset'"):
        SimSettings(faults=("rest@7",))


def test_the_fingerprint_tells_sims_apart_that_answer_differently() -> None:
    """Same seed, same fingerprint; another seed, another one."""
    assert SimSettings(seed=1).fingerprint == SimSettings(seed=1, port=9).fingerprint != SimSettings().fingerprint
