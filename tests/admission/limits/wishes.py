"""Meters as tests write them."""

from vllm_gateway.admission.limits.limiter import Reserved
from vllm_gateway.admission.limits.meters import DAY_S, MINUTE_S, Kind, Meter


def per_minute(amount: int, scope: str = "key:a") -> Meter:
    """Return a limit of so many requests per minute."""
    return Meter(Kind.RATE, "requests", scope, amount, MINUTE_S)


def per_second(amount: int, scope: str = "key:a") -> Meter:
    """Return a limit of so many requests per second."""
    return Meter(Kind.RATE, "requests", scope, amount, 1.0)


def tokens(amount: int, scope: str = "key:a") -> Meter:
    """Return a limit of so many tokens per minute."""
    return Meter(Kind.RATE, "tokens", scope, amount, MINUTE_S)


def budget(amount: int, scope: str = "key:a") -> Meter:
    """Return a limit of so many tokens per day."""
    return Meter(Kind.BUDGET, "tokens", scope, amount, DAY_S)


def slots(amount: int, scope: str = "key:a") -> Meter:
    """Return a limit of so many requests at the same time."""
    return Meter(Kind.SLOTS, "concurrent", scope, amount, 0.0)


def left_of(reserved: Reserved) -> list[int]:
    """Return what is left of each meter."""
    return [remaining for remaining, _ in reserved.left]
