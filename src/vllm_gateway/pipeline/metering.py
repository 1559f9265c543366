"""What an exchange may cost is reserved before a replica is asked, and what it did cost is settled at its end."""

import itertools
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_network

from vllm_gateway.admission.limits.headers import limit_headers, refusal
from vllm_gateway.admission.limits.limiter import Limiter, Reserved
from vllm_gateway.admission.limits.meters import Kind, Meter, Meters
from vllm_gateway.admission.worst_case import WorstCase, worst_case
from vllm_gateway.clock import Clock
from vllm_gateway.dialects.anthropic import Anthropic
from vllm_gateway.dialects.live_usage import telling_usage
from vllm_gateway.errors import BudgetSpent, GatewayError
from vllm_gateway.exchange import Asked, Exchange, Usage
from vllm_gateway.settings.admission import Limits
from vllm_gateway.tasks import Tasks
from vllm_gateway.upstream.deadlines import Deadlines

Relay = Callable[[Asked], Awaitable[None]]
"""Has something answered."""
_SPENT = "The tokens for today are spent. Try again after midnight UTC."
NO_TOKENS = WorstCase(0, 0)
"""Of a request whose tokens nobody counts."""
_LEAST_MORE = 64
"""Tokens that are reserved at once for a stream that runs over; asking for each one would cost more than it."""


@dataclass(slots=True)
class Grant:
    """What was reserved for one exchange."""

    name: str
    """No other exchange has it, on whatever gateway."""
    meters: tuple[Meter, ...]
    case: WorstCase


class Metering:
    """Holds every exchange to the limits of its caller, of its model, and of all."""

    def __init__(self, settings: Limits, limiter: Limiter, *, deadlines: Deadlines, clock: Clock) -> None:
        self._settings = settings
        self._meters = Meters(settings)
        self._limiter = limiter
        self._deadlines = deadlines
        self._clock = clock
        self._tasks = Tasks("metering")
        self._process = os.urandom(8).hex()
        self._numbers = itertools.count()

    def concerns(self, exchange: Exchange) -> bool:
        """Say whether any limit might hold for an exchange."""
        return not self._meters.are_none or exchange.caller.allowance is not None

    async def relay(
        self,
        exchange: Exchange,
        asked: Asked,
        relay: Relay,
        *,
        model: str,
        max_model_len: Callable[[], int | None],
        hands_back: Callable[[str, GatewayError], Sequence[str]] = lambda _model, _error: (),
    ) -> None:
        """Have `asked` relayed, within the limits.

        Where `hands_back` names models that stand in after an error, the failure costs the caller nothing: it is the
        one that answers which counts.

        Raises:
            LimitReached: it is more than may be used now.
        """
        allowance, case = exchange.caller.allowance, NO_TOKENS
        if self._meters.counts_tokens(allowance, model):
            case = worst_case(asked, self._settings, max_model_len=max_model_len())
        meters = self._meters.of(scope(exchange, self._settings), allowance, model, case.tokens)
        if not meters:
            await relay(asked)
            return
        grant = Grant(f"{self._process}-{next(self._numbers)}", meters, case)
        await self._reserve(exchange, grant)
        has_failed, is_handed_back = True, False
        try:
            await self._relay(exchange, asked, relay, grant)
            has_failed = False
        except GatewayError as error:
            is_handed_back = bool(hands_back(model, error))
            raise
        except BaseException:
            has_failed = False  # the caller left, or was stopped: the work was done for it
            raise
        finally:
            is_charged = (exchange.attempts > 0 or exchange.usage is not None) and not is_handed_back
            used = used_tokens(exchange, case, has_failed=has_failed)
            await self._limiter.settle(grant.name, meters, used, is_charged=is_charged)

    async def close(self) -> None:
        """Ask for no more tokens."""
        await self._tasks.close()

    async def _reserve(self, exchange: Exchange, grant: Grant) -> None:
        least_tokens = grant.case.prompt_tokens
        reserved = await self._limiter.reserve(grant.name, grant.meters, least_tokens=least_tokens)
        is_anthropic = isinstance(exchange.operation.dialect, Anthropic)
        wall = self._clock.wall()
        exchange.told = limit_headers(reserved, grant.meters, is_anthropic=is_anthropic, wall=wall)
        exchange.trail.budget = _budget(exchange, reserved, grant.meters)
        if reserved.refused_by is not None:
            exchange.trail.limit = _told(grant.meters[reserved.refused_by])
            raise refusal(reserved, grant.meters)

    def _relay(self, exchange: Exchange, asked: Asked, relay: Relay, grant: Grant) -> Awaitable[None]:
        if grant.case is not NO_TOKENS and any(meter.of == "tokens" for meter in grant.meters):
            asked = telling_usage(asked)
        if not asked.tells_usage or all(meter.kind is not Kind.BUDGET for meter in grant.meters):
            return relay(asked)
        return self._relay_watched(exchange, asked, relay, grant)

    async def _relay_watched(self, exchange: Exchange, asked: Asked, relay: Relay, grant: Grant) -> None:
        overrun = Overrun(exchange, grant, self._limiter, self._tasks)
        self._deadlines.add(overrun)
        try:
            await relay(asked)
        finally:
            self._deadlines.remove(overrun)


class Overrun:
    """Watches a stream that may become longer than what was reserved for it, and ends it when its budget is spent."""

    def __init__(self, exchange: Exchange, grant: Grant, limiter: Limiter, tasks: Tasks) -> None:
        self._exchange = exchange
        self._grant = grant
        self._limiter = limiter
        self._tasks = tasks
        self._reserved = grant.case.tokens
        self._is_asking = False

    def check(self, now: float) -> None:  # noqa: ARG002 - the coarse timer hands it in
        """Ask for more when what was reserved is used up."""
        watch = self._exchange.watch
        usage = watch.usage_so_far() if watch is not None and not self._is_asking else None
        if usage is not None and total(usage) >= self._reserved:
            self._is_asking = True
            more = total(usage) - self._reserved + max(self._reserved // 2, _LEAST_MORE)
            self._tasks.start(self._ask_for(more), name="more tokens")

    async def _ask_for(self, more: int) -> None:
        if await self._limiter.extend(self._grant.name, self._grant.meters, more):
            self._reserved += more
            self._is_asking = False
        else:
            self._exchange.trail.limit = _told(next(meter for meter in self._grant.meters if meter.kind is Kind.BUDGET))
            self._exchange.stop(BudgetSpent(_SPENT))


def _budget(exchange: Exchange, reserved: Reserved, meters: Sequence[Meter]) -> tuple[float, float] | None:
    """Return which share of the key's tokens for today is in use, and until when; None where it has no such limit."""
    if exchange.caller.id:
        for meter, left in zip(meters, reserved.left, strict=True):
            if meter.kind is Kind.BUDGET and meter.scope.startswith("key:"):
                return 1 - left.remaining / meter.amount, exchange.trail.now() + left.reset_s
    return None


def _told(meter: Meter) -> tuple[str, str]:
    """Return the name of a limit, and whose it is, without saying who that is."""
    return meter.limit, meter.scope.partition(":")[0]


def scope(exchange: Exchange, settings: Limits) -> str:
    """Return what stands for the caller: its key, or where it is."""
    if exchange.caller.id and settings.per == "key":
        return f"key:{exchange.caller.id}"
    return f"ip:{_network(exchange.address)}"


def _network(address: str) -> str:
    """Return an address; of IPv6 the network of 64 bits that one subscriber has."""
    if ":" not in address:
        return address
    try:
        return str(ip_network((address.partition("%")[0], 64), strict=False))
    except ValueError:
        return address


def used_tokens(exchange: Exchange, case: WorstCase, *, has_failed: bool) -> int:
    """Return what an exchange has come to, be it whole or not.

    What the replica said of it counts. Where it said nothing, the prompt counts when the work was done or the caller
    broke it off; a replica that failed before anything was delivered costs nothing.
    """
    if exchange.usage is not None:
        return total(exchange.usage)
    watch = exchange.watch
    if watch is not None and watch.has_data and (usage := watch.usage_so_far()) is not None:
        return total(usage)
    is_unanswered = exchange.attempts == 0 or exchange.status not in {0, HTTPStatus.OK}
    return 0 if has_failed or is_unanswered else case.prompt_tokens


def total(usage: Usage) -> int:
    """Return the tokens of prompt and answer together."""
    return usage.prompt_tokens + usage.completion_tokens
