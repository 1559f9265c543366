"""The models of a gateway."""

from tests.terminal.conftest import house
from vllm_gateway.terminal.chat.models import Model, choices, models, short


async def test_models_are_told_with_what_serves_them() -> None:
    """What they can hold, which replicas are usable and how quick those are."""
    async with house(aliases={"gpt": "sim-small"}) as home:
        found = {model.id: model for model in await models(home.client)}
    assert found["sim-small"].context_tokens == 4096
    assert found["sim-small"].replicas == ("default-1",)
    assert found["sim-small"].latency_ms is not None
    assert found["gpt"].alias_of == "sim-small"


def test_rows_say_how_models_are() -> None:
    """The one that answers now is marked; one that nobody serves is down."""
    up = Model("a", 128_000, ("x", "y"), 1.6)
    down = Model("b", None, (), None, alias_of="a")
    assert [(row.label, row.detail) for row in choices([up, down], "a")] == [
        ("* a", "128k context · 2 replicas · 2 ms · up"),
        ("  b", "is a · down"),
    ]


def test_numbers_are_short() -> None:
    """Three digits and a k."""
    assert [short(tokens) for tokens in (7, 999, 1000, 4096, 131_072)] == ["7", "999", "1k", "4.1k", "131k"]
