"""Which faults are on, and which of them happen to a request."""

import random
import re
from collections.abc import Iterable
from dataclasses import dataclass

from vllm_gateway.sim.faults.grammar import STANDING, Fault, FaultInvalid, parse_all

_IN_MODEL_NAME = re.compile(rb'"model"\s*:\s*"[^"!]*!([^"]*)"')


@dataclass(slots=True)
class _Armed:
    fault: Fault
    left: int | None

    def is_due(self, dice: random.Random) -> bool:
        """Tell whether it happens now, and count it if so."""
        if self.left == 0 or dice.random() * 100 >= self.fault.percent:
            return False
        if self.left is not None:
            self.left -= 1
        return True


class Plan:
    """The faults that are on; the same seed lets the same requests meet them."""

    def __init__(self, faults: Iterable[Fault] = (), *, seed: int = 0) -> None:
        self._dice = random.Random(seed)  # noqa: S311 - a plan is to be repeatable
        self._armed: list[_Armed] = []
        self._named: dict[Fault, _Armed] = {}
        self.add(faults)

    def add(self, faults: Iterable[Fault]) -> None:
        """Let more go wrong."""
        self._armed.extend(_Armed(fault, fault.times) for fault in faults)

    def clear(self) -> None:
        """Let everything go well again."""
        self._armed.clear()
        self._named.clear()

    def listed(self) -> list[str]:
        """Return what is on and has not happened as often as it may."""
        return [str(armed.fault) for armed in self._armed if armed.left != 0]

    def meet(self, path: str, *, is_work: bool) -> list[Fault]:
        """Return what happens to a request for `path`; `is_work` tells whether that generates or embeds."""
        if not self._armed:
            return []
        return [
            armed.fault
            for armed in self._armed
            if armed.fault.kind not in STANDING
            and (path.startswith(armed.fault.path) if armed.fault.path else is_work)
            and armed.is_due(self._dice)
        ]

    def meet_by_name(self, body: bytes) -> list[Fault]:
        """Return what a request asks for in its model's name; a name that says no fault asks for none."""
        found = _IN_MODEL_NAME.search(body) if b"!" in body else None
        if found is None:
            return []
        try:
            faults = parse_all(found[1].decode("utf-8", "replace"))
        except FaultInvalid:
            return []
        armed = [self._named.setdefault(fault, _Armed(fault, fault.times)) for fault in faults]
        return [one.fault for one in armed if one.is_due(self._dice)]
