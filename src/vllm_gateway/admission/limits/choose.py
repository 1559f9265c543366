"""Which limiter the settings ask for. The driver of Redis is imported where it is needed only."""

from vllm_gateway.admission.limits.fallback import FallbackLimiter
from vllm_gateway.admission.limits.limiter import Limiter
from vllm_gateway.admission.limits.memory import MemoryLimiter
from vllm_gateway.clock import Clock
from vllm_gateway.settings.admission import Limits
from vllm_gateway.settings.model import State
from vllm_gateway.state.extras import need


def open_limiter(limits: Limits, state: State, clock: Clock, *, gateways: int = 1) -> Limiter:
    """Return the limiter that the settings ask for; it reaches for its place when it is first used.

    So many `gateways` are there for sure that count as this one does.

    Raises:
        MissingExtra: the client of Redis is not installed.
    """
    local = MemoryLimiter(clock)
    if limits.backend == "memory":
        return local
    if state.redis_url is None:
        raise ValueError("state.redis_url is not set, and limits.backend needs it")
    need("redis", "redis", "limits.backend: redis")
    from vllm_gateway.admission.limits.redis import RedisLimiter  # noqa: PLC0415 - see the module

    return FallbackLimiter(RedisLimiter(state.redis_url.get_secret_value()), local, gateways=gateways)
