"""Meters as tests write them."""

from vllm_gateway.admission.limits.limiter import Reserved
from vllm_gateway.admission.limits.meters import DAY_S, MINUTE_S, Kind, Meter


def per_minute(amount: int, scope: str = "key:a") -> Meter:
    """Return one request of so many per minute."""
    return Meter(Kind.RATE, "requests", scope, amount, MINUTE_S, 1)


def per_second(amount: int, scope: str = "key:a") -> Meter:
    """Return one request of so many per second."""
    return Meter(Kind.RATE, "requests", scope, amount, 1.0, 1)


def tokens(amount: int, cost: int, scope: str = "key:a") -> Meter:
    """Return `cost` of so many tokens per minute."""
    return Meter(Kind.RATE, "tokens", scope, amount, MINUTE_S, cost)


def budget(amount: int, cost: int, scope: str = "key:a") -> Meter:
    """Return `cost` of so many tokens per day."""
    return Meter(Kind.BUDGET, "tokens", scope, amount, DAY_S, cost)


def slots(amount: int, scope: str = "key:a") -> Meter:
    """Return one of so many slots."""
    return Meter(Kind.SLOTS, "concurrent", scope, amount, 0.0, 1)


def left_of(reserved: Reserved) -> list[int]:
    """Return what is left of each meter."""
    return [left.remaining for left in reserved.left]
