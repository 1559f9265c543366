"""What an exchange leaves behind for those who measure: how long each step took, and what stood in its way."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from vllm_gateway.clock import SystemClock


@dataclass(slots=True)
class Trail:
    """The steps of one exchange, each noted once and where it happens; None: it did not come to that."""

    now: Callable[[], float] = SystemClock.now
    """The gateway's clock."""
    at: float = 0.0
    """When the step before ended."""
    auth_s: float | None = None
    """Until it was known who asks."""
    read_s: float | None = None
    """Understanding and checking the body, once it was there."""
    route_s: float | None = None
    """From there to the first replica that was asked, without what it had to wait."""
    connect_s: float | None = None
    """Until there was a connection to that replica."""
    queue_s: float = 0.0
    """Waiting for a replica: for room on it, or until it was awake."""
    first_token_at: float | None = None
    """When the first event of a stream that is no comment left for the caller."""
    error: str = ""
    """The code of what it failed with."""
    limit: tuple[str, str] | None = None
    """The limit that refused it: its name, and whose it is."""
    budget: tuple[float, float] | None = None
    """The share of its caller's tokens for today that was in use, and until when it is the same day."""

    def step(self) -> float:
        """Return the seconds since the last step, and begin another."""
        now = self.now()
        took_s, self.at = now - self.at, now
        return took_s

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Take what is done meanwhile for a wait."""
        began = self.now()
        try:
            yield
        finally:
            self.queue_s += self.now() - began
