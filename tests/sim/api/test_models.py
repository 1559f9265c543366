"""The list of models."""

from tests.sim.quick import quick


async def test_every_model_is_listed_for_what_it_is() -> None:
    """Names, context, and an owner that nobody takes for a real one."""
    async with quick(models=("a", "b"), embedding_models=("e",), max_model_len=128) as sim:
        listed = (await sim.http.get("/v1/models")).json()
    assert [card["id"] for card in listed["data"]] == ["a", "b", "e"]
    assert {card["owned_by"] for card in listed["data"]} == {"vllm-gateway-sim"}
    assert {card["max_model_len"] for card in listed["data"]} == {128}
