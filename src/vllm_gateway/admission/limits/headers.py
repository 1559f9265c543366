"""What callers are told of their limits: headers with every answer, and one sentence where a limit is reached."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from vllm_gateway.admission.limits.limiter import Left, Reserved
from vllm_gateway.admission.limits.meters import DAY_S, MINUTE_S, Kind, Meter
from vllm_gateway.errors import BudgetSpent, LimitReached
from vllm_gateway.exchange import Headers

_SECOND_MS = 1000
_OPENAI = {
    of: tuple(b"x-ratelimit-%b-%b" % (what, of.encode()) for what in (b"limit", b"remaining", b"reset"))
    for of in ("requests", "tokens")
}
"""The headers of OpenAI's shape, by what is limited, in the order in which they are told."""
_NEVER = (b"x-should-retry", b"false")
"""Keeps OpenAI's and Anthropic's libraries from sending the same again and again."""


def limit_headers(reserved: Reserved, meters: Sequence[Meter], *, is_anthropic: bool, wall: float) -> Headers:
    """Return the headers that tell what is left. Of several limits of a kind the tightest is told."""
    headers: Headers = []
    policies, states = [], []
    for meter, left in _tightest(reserved, meters):
        headers += _anthropic(meter, left, wall) if is_anthropic else _openai(meter, left)
        policies.append(_policy(meter.of, meter.amount, meter.window_s))
        states.append(b'"%b";r=%d;t=%d' % (meter.of.encode(), left.remaining, math.ceil(left.reset_s)))
    if policies:
        headers += (b"ratelimit-policy", b", ".join(policies)), (b"ratelimit", b", ".join(states))
    if math.isinf(reserved.retry_after_s):
        headers.append(_NEVER)
    return headers


def refusal(reserved: Reserved, meters: Sequence[Meter]) -> LimitReached:
    """Return the error of a request that was not let in."""
    index = reserved.refused_by
    if index is None:
        raise ValueError("the request was let in")
    meter, wait_s = meters[index], reserved.retry_after_s
    limit = _limit(meter)
    if math.isinf(wait_s):
        return LimitReached(f"This request may come to {meter.cost:,} tokens, but {limit}. Ask for less.")
    if meter.kind is Kind.BUDGET:
        left = reserved.left[index].remaining
        sentence = f"{_capital(limit)}; {left:,} are left, and this request may come to {meter.cost:,}."
        return BudgetSpent(f"{sentence} Try again after midnight UTC.", retry_after_s=wait_s)
    return LimitReached(f"{_capital(limit)}. Try again in {duration(wait_s)}.", retry_after_s=wait_s)


def duration(seconds: float) -> str:
    """Return a time as OpenAI writes it: `20ms`, `1s`, `6m0s`, `1h0m5s`. It is never shorter than what is meant."""
    if seconds <= 0:
        return "0s"
    milliseconds = math.ceil(round(seconds * 1000, 6))
    if milliseconds < _SECOND_MS:
        return f"{milliseconds}ms"
    minutes, rest = divmod(math.ceil(milliseconds / _SECOND_MS), 60)
    if not minutes:
        return f"{rest}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{rest}s" if hours else f"{minutes}m{rest}s"


@lru_cache(maxsize=256)
def _policy(of: str, amount: int, window_s: float) -> bytes:
    return b'"%b";q=%d;w=%d' % (of.encode(), amount, math.ceil(window_s))


def _tightest(reserved: Reserved, meters: Sequence[Meter]) -> list[tuple[Meter, Left]]:
    """Return the meter of requests and that of tokens, as far as there are any, with what is left of them."""
    pairs = list(zip(meters, reserved.left, strict=True))
    if len(pairs) > 1:
        by_share = sorted(pairs, key=lambda pair: pair[1].remaining / pair[0].amount)
        pairs = [pair for of in _OPENAI for pair in [each for each in by_share if each[0].of == of][:1]]
    return [pair for pair in pairs if pair[0].of in _OPENAI]


def _openai(meter: Meter, left: Left) -> Headers:
    limit, remaining, reset = _OPENAI[meter.of]
    return [
        (limit, b"%d" % meter.amount),
        (remaining, b"%d" % left.remaining),
        (reset, duration(left.reset_s).encode()),
    ]


def _anthropic(meter: Meter, left: Left, wall: float) -> Headers:
    prefix = f"anthropic-ratelimit-{meter.of}-".encode()
    reset = datetime.fromtimestamp(wall, UTC) + timedelta(seconds=math.ceil(left.reset_s))
    return [
        (prefix + b"limit", b"%d" % meter.amount),
        (prefix + b"remaining", b"%d" % left.remaining),
        (prefix + b"reset", reset.strftime("%Y-%m-%dT%H:%M:%SZ").encode()),
    ]


def _limit(meter: Meter) -> str:
    """Return what a meter allows, in words that begin in lower case."""
    if meter.scope.startswith("model:"):
        who, model = "all callers together may", f" of the model `{meter.scope.removeprefix('model:')}`"
    elif meter.scope == "all":
        who, model = "all callers together may", ""
    else:
        who, model = "this key may" if meter.scope.startswith("key:") else "your address may", ""
    what = _noun(meter.amount, "token" if meter.of == "tokens" else "request")
    if meter.kind is Kind.SLOTS:
        return f"{who} have {what}{model} under way at the same time"
    period = {1.0: "second", MINUTE_S: "minute", DAY_S: "day"}[meter.window_s]
    return f"{who} {'use' if meter.of == 'tokens' else 'send'} {what}{model} per {period}"


def _noun(amount: int, noun: str) -> str:
    return f"{amount:,} {noun}" if amount == 1 else f"{amount:,} {noun}s"


def _capital(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]
