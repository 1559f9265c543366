"""Which limiter the settings ask for."""

import pytest
from pydantic import SecretStr

from vllm_gateway.admission.limits import choose
from vllm_gateway.admission.limits.fallback import FallbackLimiter
from vllm_gateway.admission.limits.memory import MemoryLimiter
from vllm_gateway.clock import HandClock
from vllm_gateway.settings.admission import Limits
from vllm_gateway.settings.model import State
from vllm_gateway.state.extras import MissingExtra


async def test_each_place_has_its_limiter() -> None:
    """What is shared has something to fall back on."""
    assert isinstance(choose.open_limiter(Limits(), State(), HandClock()), MemoryLimiter)
    state = State(redis_url=SecretStr("redis://127.0.0.1:1/0"))
    shared = choose.open_limiter(Limits(backend="redis"), state, HandClock())
    assert isinstance(shared, FallbackLimiter)


def test_redis_needs_an_address() -> None:
    """The sentence names both settings."""
    with pytest.raises(ValueError, match=r"state\.redis_url is not set, and limits\.backend"):
        choose.open_limiter(Limits(backend="redis"), State(), HandClock())


def test_redis_needs_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence says what to run."""
    monkeypatch.setattr("vllm_gateway.state.extras.find_spec", lambda _: None)
    state = State(redis_url=SecretStr("redis://127.0.0.1:1/0"))
    with pytest.raises(MissingExtra, match=r"pip install 'vllm-gateway\[redis\]'"):
        choose.open_limiter(Limits(backend="redis"), state, HandClock())
