"""What the description says of refusals."""

from typing import Any

import pytest

from vllm_gateway.dialects.anthropic import Anthropic
from vllm_gateway.dialects.openai import OpenAI
from vllm_gateway.dialects.operations import build_operations
from vllm_gateway.dialects.plain import Plain
from vllm_gateway.edge.house.faults import PLAIN_PATHS, dialect_of
from vllm_gateway.edge.house.refusals import SHAPES, of_house, of_replicas
from vllm_gateway.exchange import Dialect


def shapes(told: dict[str, Any]) -> set[str]:
    """Return the names of the bodies that are told of."""
    return {each["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2] for each in told.values()}


def shape_of(dialect: Dialect) -> str:
    """Return the name of a dialect's body."""
    if isinstance(dialect, Plain):
        return "PlainError"
    return "OpenAIError" if isinstance(dialect, OpenAI) else "AnthropicError"


def test_the_shape_of_a_refusal_is_the_routes_own() -> None:
    """Whatever writes errors on a route is what the description tells of it."""
    for path, operation in build_operations(max_json_depth=64).items():
        assert shapes(of_replicas(path)) == {shape_of(operation.dialect)}, path
        assert isinstance(operation.dialect, OpenAI | Anthropic)
    for path in (*PLAIN_PATHS, "/v1/models", "/v1/sessions", "/health"):
        assert shapes(of_house(path, has_body=True, names=True)) == {shape_of(dialect_of(path))}, path
    assert SHAPES.keys() == {"PlainError", "OpenAIError", "AnthropicError"}


@pytest.mark.parametrize(
    ("has_body", "names", "more"),
    [(False, False, set()), (True, False, {"408", "413", "415"}), (False, True, {"404", "409"})],
)
def test_a_route_tells_of_what_can_happen_to_it(*, has_body: bool, names: bool, more: set[str]) -> None:
    """Without a body nothing is said of bodies, without a name nothing of names."""
    assert of_house("/v1/x", has_body=has_body, names=names).keys() == {"400", "401", "429", "503"} | more
    assert of_house("/api/x", has_body=has_body, names=names).keys() == {"400", "401", "422", "429", "503"} | more
