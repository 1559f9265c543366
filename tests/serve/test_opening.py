"""Parts that are opened and closed."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.edge.admin.desk import Levers
from vllm_gateway.admission.turnstile import Turnstile
from vllm_gateway.clock import SystemClock
from vllm_gateway.edge.lane import Receive, Scope, Send
from vllm_gateway.serve.opening import (
    open_admin,
    open_counts,
    open_deadlines,
    open_engine,
    open_keys,
    open_metering,
    open_pool,
)
from vllm_gateway.settings.admission import Auth, Limits, Queue
from vllm_gateway.settings.model import Settings, State, Upstream
from vllm_gateway.state.extras import MissingExtra
from vllm_gateway.telemetry.ledger import Ledger
from vllm_gateway.telemetry.recent import Recent

CLOCK = SystemClock()


async def test_what_is_configured_is_asked_and_nothing_is_started() -> None:
    """The embedded engine is for those who have no replica."""
    own = Upstream(url="http://127.0.0.1:9")
    async with open_engine() as engine:
        assert await engine.upstreams(Settings(upstreams=(own,))) == (own,)
        embedded = await engine.upstreams(Settings())
        assert embedded[0].url.startswith("http://127.0.0.1:")
        assert await engine.upstreams(Settings()) == embedded


async def nothing() -> bytes:
    """Return an empty page."""
    return b""


async def nobody(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer no caller."""


async def test_the_admin_routes_need_a_key_to_be_there(tmp_path: Path) -> None:
    """Without one there is no listener that somebody could guess at."""
    for key in (None, SecretStr("0123456789abcdef")):
        auth = Auth(admin_key=key, keys_file=str(tmp_path / "keys.yaml"))
        settings = Settings(auth=auth)
        ledger = Ledger(CLOCK)
        async with (
            open_pool(settings, (), CLOCK) as pool,
            open_keys(settings, pool, CLOCK) as keys,
            open_admin(
                settings,
                keys,
                ledger,
                pool,
                recent=Recent(),
                turnstile=Turnstile(Queue(), clock=CLOCK),
                control=Levers(pool),
                scrape=nothing,
                door=nobody,
                clock=CLOCK,
            ) as admin,
        ):
            assert (admin is None) is (key is None) is (not ledger.told)


async def test_redis_that_is_away_keeps_nothing_from_opening() -> None:
    """It is reached for when something is counted first, and closing does not wait for it."""
    settings = Settings(
        limits=Limits(backend="redis", requests_per_minute=1), state=State(redis_url=SecretStr("redis://127.0.0.1:9"))
    )
    try:
        async with (
            open_deadlines(CLOCK) as deadlines,
            open_counts(settings, CLOCK) as limiter,
            open_metering(settings, limiter, deadlines, CLOCK),
        ):
            pass
    except MissingExtra:
        pytest.fail("the development environment has Redis' client")
