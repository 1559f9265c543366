"""The embedded engine: a server with vLLM's API and no model behind it, exact and deterministic, with faults on demand.

A caller's bytes meet `wire` (HTTP/1.1 by hand, because faults need the transport), `app` finds the route, a module of
`api` reads the body and writes vLLM's shapes, and `engine` stands where vLLM has its model, its KV cache and its
scheduler. `journal` remembers what was seen. Tests, `serve` without upstreams and `vllm-gateway sim` use the same three
names.
"""

from vllm_gateway.sim.running import RunningSim, run, start
from vllm_gateway.sim.settings import SimSettings

__all__ = ["RunningSim", "SimSettings", "run", "start"]
