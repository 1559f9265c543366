"""What the fuzzer cannot know: names of models that exist, so that more than the refusal of a wrong one is tried."""

from typing import Any

import schemathesis

MODEL = "Qwen/Qwen2.5-7B-Instruct"
EMBEDDING_MODELS = ("BAAI/bge-m3", "BAAI/bge-reranker-v2-m3")
"""The models of the documented examples."""
_EMBEDDING_ROUTES = ("/v1/embeddings", "/embed", "/api/embeddings", "/v1/rerank", "/v1/score")


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:  # noqa: ANN401 - JSON is any of its types
    """Let a body that names a model name one that exists, but for some."""
    if isinstance(body, dict) and isinstance(name := body.get("model"), str) and len(name) % 4:
        body["model"] = EMBEDDING_MODELS[0] if context.operation.path in _EMBEDDING_ROUTES else MODEL
    return body
