"""The one handle on everything that goes wrong: add, list, take back."""

from collections.abc import Callable, Iterable

from vllm_gateway.sim.call import Call
from vllm_gateway.sim.faults.grammar import STANDING, Fault, parse_all
from vllm_gateway.sim.faults.plan import Plan
from vllm_gateway.sim.faults.script import Script
from vllm_gateway.sim.faults.standing import Standing
from vllm_gateway.tasks import Tasks

Trap = Callable[[bytes], Iterable[str]]
"""Looks at the body of a piece of work and says what goes wrong with it."""


class Control:
    """The faults of one sim."""

    def __init__(self, standing: Standing, *, seed: int = 0) -> None:
        self._plan = Plan(seed=seed)
        self._standing = standing
        self._tasks = Tasks("sim faults")
        self.trap: Trap | None = None
        """Chooses more faults by what is asked; several sims may share one."""

    def add(self, texts: Iterable[str]) -> None:
        """Let more go wrong from now on; raise `FaultInvalid`, and add none, if one of `texts` is no fault."""
        faults = [fault for text in texts for fault in parse_all(text)]
        self._plan.add(faults)
        for fault in faults:
            if fault.kind in STANDING:
                self._standing.begin(fault)

    def clear_soon(self, then: Callable[[], None]) -> None:
        """Let everything go well again, and call `then` when it does."""
        self._tasks.start(self._clear(then), name="clear")

    async def _clear(self, then: Callable[[], None]) -> None:
        await self.clear()
        then()

    async def clear(self) -> None:
        """Let everything go well again."""
        self._plan.clear()
        await self._standing.end()

    async def close(self) -> None:
        """Stop what is under way, and leave everything as it is."""
        await self._tasks.close()
        await self._standing.stop()

    def listed(self) -> list[str]:
        """Return what is still going wrong."""
        return self._plan.listed()

    def at_head(self, call: Call, *, is_work: bool) -> None:
        """Choose what happens to a call that arrives, and begin with it."""
        faults = self._plan.meet(call.path, is_work=is_work)
        if faults:
            script = Script(faults)
            call.script = script
            script.at_head(call)

    def at_body(self, call: Call, go_on: Callable[[], None], *, is_work: bool) -> bool:
        """Play what happens before a call is answered; tell whether to answer it, or `go_on` comes later or never."""
        named = self._by_body(call.seen.body) if is_work else []
        if call.script is None and not named:
            return True
        script = call.script if isinstance(call.script, Script) else Script([])
        script.add(named)
        call.script = script
        return script.at_body(call, go_on)

    def _by_body(self, body: bytes) -> list[Fault]:
        named = self._plan.meet_by_name(body)
        if self.trap is None:
            return named
        return named + [fault for text in self.trap(body) for fault in parse_all(text)]
