"""Bodies."""

import pytest

from vllm_gateway import codec
from vllm_gateway.bench.load.asking import Asking, Endpoint

SAID = [{"role": "system", "content": "rules"}, {"role": "user", "content": "a"}]


@pytest.mark.parametrize(
    ("asking", "path", "body"),
    [
        (
            Asking(),
            "/v1/chat/completions",
            {"messages": SAID, "max_tokens": 5, "stream": True, "stream_options": {"include_usage": True}},
        ),
        (
            Asking(Endpoint.COMPLETIONS, is_stream=False, ignores_eos=True, extra={"temperature": 0, "max_tokens": 6}),
            "/v1/completions",
            {"prompt": "rules\na", "max_tokens": 6, "ignore_eos": True, "temperature": 0},
        ),
        (Asking(Endpoint.EMBEDDINGS, ignores_eos=True), "/v1/embeddings", {"input": "rules\na"}),
    ],
)
def test_each_route_has_its_body(asking: Asking, path: str, body: dict[str, object]) -> None:
    """Usage is asked for where streams would not tell it; fields of one's own win."""
    assert asking.endpoint.path == path
    assert codec.loads(asking.body("m", SAID, 5)) == {"model": "m"} | body
