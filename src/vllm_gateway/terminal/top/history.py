"""What was, as far as graphs show it."""

from collections import deque
from collections.abc import Sequence

from vllm_gateway.terminal.top.picture import Picture

MOST = 600
"""Values that are kept of each; more than the widest terminal shows."""


class History:
    """Values of the last pictures: the newest is the last."""

    def __init__(self) -> None:
        self._read: deque[float] = deque(maxlen=MOST)
        self._made: deque[float] = deque(maxlen=MOST)
        self._replicas: dict[str, deque[float]] = {}

    def take(self, picture: Picture) -> None:
        """Take one more picture; replicas that are gone are forgotten."""
        self._read.append(picture.read_per_s)
        self._made.append(picture.made_per_s)
        there = {row.name: row.made_per_s or 0.0 for row in picture.replicas}
        self._replicas = {name: self._replicas.get(name) or deque(maxlen=MOST) for name in there}
        for name, value in there.items():
            self._replicas[name].append(value)

    @property
    def read(self) -> Sequence[float]:
        """Tokens of prompts per second, of all."""
        return list(self._read)

    @property
    def made(self) -> Sequence[float]:
        """Tokens of answers per second, of all."""
        return list(self._made)

    def made_by(self, replica: str) -> Sequence[float]:
        """Tokens of answers per second, of one."""
        return list(self._replicas.get(replica, ()))
