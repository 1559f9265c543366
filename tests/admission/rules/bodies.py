"""Bodies for the tests of what may be asked."""

from typing import Any

from tests.exchanges import OPERATIONS
from vllm_gateway import codec
from vllm_gateway.exchange import Asked

CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"
RESPONSES = "/v1/responses"
MESSAGES = "/v1/messages"
EMBEDDINGS = "/v1/embeddings"


def understood(path: str = CHAT, /, **fields: Any) -> Asked:  # noqa: ANN401 - JSON is any of its types
    """Read a body with these fields, and with what its route cannot do without."""
    needed = {"input": "x"} if path == RESPONSES else {}
    return OPERATIONS[path].read(codec.dumps_spaced(needed | fields).encode())
