"""A gateway with the embedded engine behind it, for the guests in a terminal."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.gateway import Gateway, gateway
from vllm_gateway.sim import RunningSim, SimSettings, start
from vllm_gateway.terminal.api import Client, Target


@dataclass
class House:
    """What a guest talks to, and what is behind it."""

    front: Gateway
    sim: RunningSim

    @property
    def target(self) -> Target:
        """Where the gateway is."""
        return Target.at(self.front.url)

    @property
    def client(self) -> Client:
        """A client of it."""
        return Client(self.target)


@asynccontextmanager
async def house(*, itl_ms: float = 0.0, **settings: Any) -> AsyncIterator[House]:  # noqa: ANN401 - any setting
    """Run a gateway before one embedded engine; a replica that breaks an answer off breaks it for the caller, too."""
    usual = {"resume": {"enabled": False}, "default_model": "sim-small"}
    sim = await start(SimSettings(port=0, ttft_ms=0, ttft_ms_per_1k=0, itl_ms=itl_ms))
    try:
        async with gateway(sim.url + "/v1", **usual | settings) as front:
            yield House(front, sim)
    finally:
        await sim.close()
