"""Which models a sim has."""

import pytest

from tests.sim.quick import quick
from vllm_gateway.sim.api.problems import Problem


async def test_the_first_model_answers_for_no_name() -> None:
    """A body without a model is vLLM's served model."""
    async with quick(models=("a", "b")) as sim:
        assert sim.sim.engine.model(None).name == "a"
        assert sim.sim.engine.served_name == "a"


async def test_what_follows_an_exclamation_mark_is_not_the_name() -> None:
    """A fault in the name leaves the model as it is."""
    async with quick(models=("a", "b")) as sim:
        assert sim.sim.engine.model("b!reset@7").name == "b"
        assert sim.sim.engine.check_embedding_model("sim-embed!slow=1") == "sim-embed"


async def test_unknown_models_are_problems() -> None:
    """Each kind names only its own; the tokenizer serves both."""
    async with quick() as sim:
        for ask in (sim.sim.engine.model, sim.sim.engine.check_embedding_model, sim.sim.engine.check_any_model):
            with pytest.raises(Problem):
                ask("nope")
        with pytest.raises(Problem):
            sim.sim.engine.model("sim-embed")
        sim.sim.engine.check_any_model("sim-embed")
        sim.sim.engine.check_any_model(None)
