"""Who asks: the same question that the pipeline puts to every exchange, for the routes that have none."""

from collections.abc import Awaitable, Callable

from fastapi import Request

from vllm_gateway.admission.keys.ring import Keys
from vllm_gateway.callers import ANONYMOUS, Caller
from vllm_gateway.edge.lane import address_of

Admit = Callable[[Request], Awaitable[Caller]]
"""A dependency of routes: gives the caller, or raises `KeyRefused`."""


def unless(admit: Admit, is_open: Callable[[], bool]) -> Admit:
    """Return `admit`, which asks nobody while the route is open to everyone."""

    async def admit_or_not(request: Request) -> Caller:
        return ANONYMOUS if is_open() else await admit(request)

    return admit_or_not


def admitting(keys: Keys) -> Admit:
    """Return the dependency that asks `keys`."""

    async def admit(request: Request) -> Caller:
        return await keys.admit(request.scope["headers"], address_of(request.scope))

    return admit
