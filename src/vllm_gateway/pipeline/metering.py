"""What an exchange may cost is reserved before a replica is asked, and what it did cost is settled at its end."""

import itertools
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from vllm_gateway.admission.limits.accounts import Account, Accounts
from vllm_gateway.admission.limits.headers import refusal
from vllm_gateway.admission.limits.limiter import Limiter, Reserved
from vllm_gateway.admission.limits.meters import Kind, Meter
from vllm_gateway.admission.worst_case import WorstCase, worst_case
from vllm_gateway.clock import Clock
from vllm_gateway.dialects.anthropic import Anthropic
from vllm_gateway.dialects.live_usage import telling_usage
from vllm_gateway.errors import BudgetSpent, GatewayError
from vllm_gateway.exchange import Asked, Exchange, Usage
from vllm_gateway.pipeline.clamp import max_model_len
from vllm_gateway.settings.admission import Limits
from vllm_gateway.tasks import Tasks
from vllm_gateway.upstream.deadlines import Deadlines
from vllm_gateway.upstream.replica import Replica

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
    account: Account
    case: WorstCase


class Metering:
    """Holds every exchange to the limits of its caller, of its model, and of all."""

    def __init__(self, settings: Limits, limiter: Limiter, *, deadlines: Deadlines, clock: Clock) -> None:
        self._settings = settings
        self._accounts = Accounts(settings)
        self._limiter = limiter
        self._deadlines = deadlines
        self._clock = clock
        self._tasks = Tasks("metering")
        self._process = os.urandom(8).hex()
        self._numbers = itertools.count()

    def concerns(self, exchange: Exchange) -> bool:
        """Say whether any limit might hold for an exchange."""
        return self._accounts.might_hold(exchange.caller)

    async def relay(
        self,
        exchange: Exchange,
        asked: Asked,
        relay: Relay,
        *,
        model: str,
        serving: Sequence[Replica],
        hands_back: Callable[[str, GatewayError], Sequence[str]] = lambda _model, _error: (),
    ) -> None:
        """Have `asked` relayed to one of `serving`, within the limits.

        Where `hands_back` names models that stand in after an error, the failure costs the caller nothing: it is the
        one that answers which counts.

        Raises:
            LimitReached: it is more than may be used now.
        """
        account, case = self._accounts.of(exchange.caller, exchange.address, model), NO_TOKENS
        if account.counts_tokens:
            case = worst_case(asked, self._settings, max_model_len=max_model_len(model, serving))
            if case.tokens:
                asked = telling_usage(asked)
            else:
                account = account.without_tokens
        if not account.meters:
            await relay(asked)
            return
        name, meters, tokens = f"{self._process}-{next(self._numbers)}", account.meters, case.tokens
        reserved = self._limiter.reserve_now(name, meters, tokens)
        if reserved is None:
            reserved = await self._limiter.reserve(name, meters, tokens, least_tokens=case.prompt_tokens)
        self._tell(exchange, account, reserved, tokens)
        has_failed, is_handed_back = True, False
        try:
            if asked.tells_usage and account.has_budget:
                await self._relay_watched(exchange, asked, relay, Grant(name, account, case))
            else:
                await relay(asked)
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
            if not self._limiter.settle_now(name, meters, used, is_charged=is_charged):
                await self._limiter.settle(name, meters, used, is_charged=is_charged)

    async def close(self) -> None:
        """Ask for no more tokens."""
        await self._tasks.close()

    def _tell(self, exchange: Exchange, account: Account, reserved: Reserved, tokens: int) -> None:
        """Note what the caller is told of its limits, and how much of its day is used.

        Raises:
            LimitReached: it was not let in, with so many tokens as it may come to.
        """
        meters = account.meters
        if isinstance(exchange.operation.dialect, Anthropic):
            exchange.limits = account.telling.anthropic(reserved, self._clock.wall())
        else:
            exchange.limits = account.telling.openai(reserved)
        if account.key_budget is not None:
            exchange.trail.budget = _budget(exchange, reserved, meters, account.key_budget)
        if reserved.refused_by is not None:
            exchange.trail.limit = _told(meters[reserved.refused_by])
            raise refusal(reserved, meters, tokens)

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
        if await self._limiter.extend(self._grant.name, self._grant.account.meters, more):
            self._reserved += more
            self._is_asking = False
        else:
            meters = self._grant.account.meters
            self._exchange.trail.limit = _told(next(meter for meter in meters if meter.kind is Kind.BUDGET))
            self._exchange.stop(BudgetSpent(_SPENT))


def _budget(exchange: Exchange, reserved: Reserved, meters: Sequence[Meter], place: int) -> tuple[float, float]:
    """Return which share of the key's tokens for today is in use, and until when."""
    remaining, reset_s = reserved.left[place]
    return 1 - remaining / meters[place].amount, exchange.trail.now() + reset_s


def _told(meter: Meter) -> tuple[str, str]:
    """Return the name of a limit, and whose it is, without saying who that is."""
    return meter.limit, meter.scope.partition(":")[0]


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
