"""How many requests may be asked again: a share of all requests, so that this cannot become the load itself."""

from vllm_gateway.clock import Clock

FLOOR_PER_S = 3.0
"""Retries that are allowed at any load: of a few requests a share would be none at all."""
_FLOOR_KEPT_S = 10.0
"""A quiet time before counts as so many seconds."""
_EARNED_MOST = 100.0
"""A quiet hour must not pay for a storm."""


class RetryBudget:
    """Permission to retry, earned by requests and by time.

    The rule is that of Finagle: https://twitter.github.io/finagle/guide/Clients.html#retries.
    """

    def __init__(self, *, percent: float, clock: Clock, floor_per_s: float = FLOOR_PER_S) -> None:
        self._share = percent / 100
        self._floor_per_s = floor_per_s
        self._clock = clock
        self._earned = 0.0
        self._floor_most = self._floor = _FLOOR_KEPT_S * floor_per_s
        self._at = clock.now()

    def earn(self) -> None:
        """Count a request: it pays for its share of a retry."""
        self._earned = min(_EARNED_MOST, self._earned + self._share)

    def spend(self) -> bool:
        """Take permission for one retry; False when there is none left. A share of 0 % permits none at all."""
        if not self._share:
            return False
        now = self._clock.now()
        self._floor = min(self._floor_most, self._floor + (now - self._at) * self._floor_per_s)
        self._at = now
        if self._floor >= 1:
            self._floor -= 1
        elif self._earned >= 1:
            self._earned -= 1
        else:
            return False
        return True
