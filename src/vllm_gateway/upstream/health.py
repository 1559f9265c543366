"""When a replica is fit to be asked: a pure transition table over what was seen of it."""

from dataclasses import dataclass
from enum import Enum, auto

FAILURES_IN_A_ROW = 3
"""One failure may be the request's own doing; three different ones in a row are the replica's."""


class Sign(Enum):
    """What was seen of a replica."""

    ANSWERED = auto()
    """It answered a request to the end."""
    FAILED = auto()
    """It broke off, was silent, or answered with an error of its own."""
    UNREACHABLE = auto()
    """No connection could be made."""
    PROBE_ANSWERED = auto()
    """It says that it is well, and what it serves."""
    PROBE_FAILED = auto()
    """It did not answer a probe, or says that it is not well."""


@dataclass(frozen=True, slots=True)
class Health:
    """What is held of a replica."""

    is_usable: bool = False
    """It may be asked. A replica starts without: nothing is known of it yet."""
    failures: int = 0
    """Bad signs since the last good one."""

    def after(self, sign: Sign) -> "Health":
        """Return what is held after a sign.

        Unreachable ends the use at once: nothing listens there, and every further try would fail. Other bad signs need
        company. An answered probe is enough to begin again.
        """
        match sign:
            case Sign.PROBE_ANSWERED:
                return Health(is_usable=True)
            case Sign.ANSWERED:  # of one that is out, it may be an old request that still came to its end
                return Health(is_usable=True) if self.is_usable else self
            case Sign.UNREACHABLE:
                return Health(is_usable=False, failures=self.failures + 1)
            case Sign.FAILED | Sign.PROBE_FAILED:
                failures = self.failures + 1
                return Health(is_usable=self.is_usable and failures < FAILURES_IN_A_ROW, failures=failures)
