"""The arithmetic of rates: GCRA with a burst as large as the whole amount.

The state is what is in use and when that was true, rather than one theoretical time of arrival. Both say the same, but
a time in microseconds since the epoch has no room for one token of a billion per minute, which is 0.06 microseconds.
What is in use drains evenly, by `amount` in every `window_s`; a request is let in when all that it wants fits.
"""

import math

SLACK = 1e-6
"""What may be lacking: rounding must not refuse whoever comes back at the very moment that was told."""


def in_use(used: float, at: float, now: float, amount: int, window_s: float) -> float:
    """Return what is left of `used` at `now`; a clock that was set back drains nothing."""
    if now > at:
        used -= (now - at) * amount / window_s
    return used if used > 0.0 else 0.0  # noqa: FURB136 - `max` takes three times as long


def wait_s(used: float, cost: float, amount: int, window_s: float) -> float:
    """Return how long it takes until `cost` fits: 0 when it does now, infinity when it never will."""
    if cost > amount:
        return math.inf
    lacking = used + cost - amount
    return lacking * window_s / amount if lacking > SLACK else 0.0


def remaining(used: float, amount: int) -> int:
    """Return how much is to be had now; never less than nothing."""
    left = amount - used + SLACK
    return int(left) if left > 0.0 else 0


def reset_s(used: float, amount: int, window_s: float) -> float:
    """Return how long it takes until all of it is there again."""
    return used * window_s / amount
