"""The stores that several gateways share: whether they answer, and whether their clocks agree with ours."""

from collections.abc import AsyncIterator

from vllm_gateway.clock import Clock
from vllm_gateway.doctor.finding import Finding, fail, ok, warn
from vllm_gateway.settings import Settings
from vllm_gateway.state.extras import MissingExtra, need

WAIT_S = 3.0
MOST_DRIFT_S = 2.0
"""Leases and the ends of sessions are times of the gateways; so much they forgive."""


async def look_at_stores(settings: Settings, clock: Clock) -> AsyncIterator[Finding]:
    """Reach for each store that the settings name."""
    state = settings.state
    if state.redis_url is not None:
        yield await _redis(state.redis_url.get_secret_value(), clock)
    if state.database_url is not None:
        yield await _postgres(state.database_url.get_secret_value(), clock)


async def _redis(url: str, clock: Clock) -> Finding:
    try:
        need("redis", "redis", "state.redis_url")
    except MissingExtra as missing:
        return fail("redis", str(missing), "")
    from vllm_gateway.state.redis import FAULTS, connect, server_time_s  # noqa: PLC0415 - an extra

    client = connect(url, wait_s=WAIT_S)
    try:
        return compared("redis", await server_time_s(client), clock.wall())
    except FAULTS as fault:
        cure = "Is it running, and are address and password in state.redis_url right?"
        return fail("redis", f"it does not answer ({type(fault).__name__})", cure)
    finally:
        await client.aclose()


async def _postgres(url: str, clock: Clock) -> Finding:
    try:
        need("asyncpg", "postgres", "state.database_url")
    except MissingExtra as missing:
        return fail("postgresql", str(missing), "")
    from vllm_gateway.state.sql import postgres_database, server_time_s  # noqa: PLC0415 - an extra

    database = postgres_database(url, schema_lock=0, connections=1, wait_s=WAIT_S, connect_s=WAIT_S)
    faults: tuple[type[Exception], ...] = (*database.faults, OSError)
    try:
        return compared("postgresql", await server_time_s(database), clock.wall())
    except faults as fault:
        cure = "Is it running, and are address, user and password in state.database_url right?"
        return fail("postgresql", f"it does not answer ({type(fault).__name__})", cure)
    finally:
        await database.writer.dispose()


def compared(subject: str, theirs_s: float, ours_s: float) -> Finding:
    """Return that a store answers, and what its clock says of ours."""
    drift_s = abs(theirs_s - ours_s)
    if drift_s > MOST_DRIFT_S:
        return warn(subject, f"it answers; its clock is {drift_s:.0f} s from ours", "Set both by a time service.")
    return ok(subject, "it answers, and its clock agrees with ours")
