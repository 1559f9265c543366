"""Exchanges for the tests of what happens to one."""

from vllm_gateway.dialects.operations import build_operations
from vllm_gateway.exchange import Exchange

OPERATIONS = build_operations(max_json_depth=64)


def exchange(path: str = "/v1/chat/completions", body: bytes = b"{}", *, request_id: str = "request-1") -> Exchange:
    """Return an exchange that has only just begun."""

    async def receive() -> bytes:
        return body

    return Exchange(id=request_id, operation=OPERATIONS[path], headers=[], receive=receive, started=0.0)
