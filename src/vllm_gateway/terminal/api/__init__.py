"""A gateway as its guests see it: addresses, questions, answers, streams, and what can go wrong.

client = Client(Target.at("http://127.0.0.1:8080", key))
models = await client.get("/v1/models")
async for event in client.stream("/v1/chat/completions", body): ...
"""

from vllm_gateway.terminal.api.client import Client
from vllm_gateway.terminal.api.faults import Fault, Refused, StreamBroken, Unreachable
from vllm_gateway.terminal.api.target import Target

__all__ = ["Client", "Fault", "Refused", "StreamBroken", "Target", "Unreachable"]
