"""Faults of the whole sim: a wedged engine, a closed door, a crash, and both in turn."""

import asyncio
from typing import Protocol

from vllm_gateway.sim.faults.grammar import Fault, Kind
from vllm_gateway.tasks import Tasks


class House(Protocol):
    """What a standing fault is done to."""

    def wedge(self, *, is_wedged: bool) -> None:
        """Stop making tokens, or go on."""
        ...

    def stop_listening(self, *, cut: bool) -> None:
        """Take no more connections, and reset those that are open if `cut`."""
        ...

    async def listen_again(self) -> None:
        """Take connections again, on the same port."""
        ...


class Standing:
    """Begins standing faults and ends them."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._tasks = Tasks("sim faults")

    def begin(self, fault: Fault) -> None:
        """Let `fault` happen from now on."""
        self._tasks.start(self._play(fault), name=str(fault))

    async def stop(self) -> None:
        """End all of them, and leave everything as it is."""
        await self._tasks.close()

    async def end(self) -> None:
        """End all of them: go on making tokens, and listen."""
        await self.stop()
        self._house.wedge(is_wedged=False)
        await self._house.listen_again()

    async def _play(self, fault: Fault) -> None:
        if fault.kind is Kind.WEDGE:
            self._house.wedge(is_wedged=True)
            await _wait(fault.seconds)
            self._house.wedge(is_wedged=False)
        elif fault.kind is Kind.FLAP:
            up_s, down_s = map(float, (fault.argument or "1:1").split(":"))
            while True:
                await asyncio.sleep(up_s)
                await self._down(down_s, cut=True)
        else:
            await self._down(fault.seconds, cut=fault.kind is Kind.CRASH)

    async def _down(self, seconds: float | None, *, cut: bool) -> None:
        self._house.stop_listening(cut=cut)
        await _wait(seconds)
        await self._house.listen_again()


async def _wait(seconds: float | None) -> None:
    """Wait so long; None is for ever, which ends when the fault is taken back."""
    if seconds is None:
        await asyncio.Event().wait()
    else:
        await asyncio.sleep(seconds)
