"""What attributes of spans are called."""

import pytest

from vllm_gateway.telemetry.tracing import names


@pytest.mark.parametrize(
    ("path", "operation"),
    [
        ("/v1/chat/completions", "chat"),
        ("/v1/messages", "chat"),
        ("/v1/completions", "text_completion"),
        ("/v1/embeddings", "embeddings"),
        ("/v1/rerank", "rerank"),
        ("/tokenize", "tokenize"),
    ],
)
def test_what_a_replica_does_has_the_name_that_everybody_uses(path: str, operation: str) -> None:
    """Where nobody has given it one, the path does."""
    assert names.operation_of(path) == operation


def test_no_two_attributes_have_one_name() -> None:
    """One would hide the other; of the fields of bodies, those of the same meaning share one."""
    values = [value for name, value in vars(names).items() if name.isupper() and isinstance(value, str)]
    assert len(values) == len(set(values))
    assert set(values).isdisjoint(name for name, _ in names.WISHES.values())


def test_nothing_that_is_said_is_among_the_fields_that_are_told() -> None:
    """Neither prompts nor stop words nor whatever callers make up."""
    assert set(names.WISHES).isdisjoint({"messages", "prompt", "input", "stop", "user", "metadata", "tools", "system"})
