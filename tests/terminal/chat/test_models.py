"""The models of a gateway."""

from tests.terminal.conftest import house
from vllm_gateway.terminal.chat.models import Model, choices, models, short


async def test_models_are_told_with_what_serves_them() -> None:
    """What they can hold, which replicas are usable and how busy those are."""
    async with house(aliases={"gpt": "sim-small"}) as home:
        found = {model.id: model for model in await models(home.client)}
    assert found["sim-small"].context_tokens == 4096
    assert found["sim-small"].replicas == ("default-1",)
    assert (found["sim-small"].running, found["sim-small"].waiting) == (0, 0)
    assert found["gpt"].alias_of == "sim-small"


def test_rows_say_how_models_are() -> None:
    """The one that answers now is marked; what can be held, how many serve it, and how much is to be done there."""
    rows = [
        Model("a", 128_000, ("x", "y"), 3, 1),
        Model("b", 4096, ("x",), 2, 0),
        Model("c", 4096, ("x",), 0, 0),
        Model("d", 4096, ("x",)),
        Model("e", None, (), 5, 5, alias_of="a"),
    ]
    assert [(row.label, row.detail) for row in choices(rows, "a")] == [
        ("* a", "128k · 2 up · 3 running, 1 waiting"),
        ("  b", "4.1k · 1 up · 2 running"),
        ("  c", "4.1k · 1 up · idle"),
        ("  d", "4.1k · 1 up"),
        ("  e", "is a · down"),
    ]


def test_numbers_are_short() -> None:
    """Three digits and a k."""
    assert [short(tokens) for tokens in (7, 999, 1000, 4096, 131_072)] == ["7", "999", "1k", "4.1k", "131k"]
