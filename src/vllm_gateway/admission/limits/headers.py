"""What callers are told of their limits: headers with every answer, and one sentence where a limit is reached."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from vllm_gateway.admission.limits.limiter import Reserved
from vllm_gateway.admission.limits.meters import DAY_S, MINUTE_S, Kind, Meter
from vllm_gateway.errors import BudgetSpent, LimitReached
from vllm_gateway.exchange import Headers

_SECOND_MS = 1000
_FARTHEST_S = 1000 * 365 * DAY_S
"""No time that is told lies farther ahead, however absurd the tokens that a replica says it has used."""
_NOISE_MS = 5e-7
"""What rounding may have added to a time."""
_OPENAI = {
    of: tuple(b"x-ratelimit-%b-%b" % (what, of.encode()) for what in (b"limit", b"remaining", b"reset"))
    for of in ("requests", "tokens")
}
"""The headers of OpenAI's shape, by what is limited, in the order in which they are told."""
_NEVER = (b"x-should-retry", b"false")
"""Keeps OpenAI's and Anthropic's libraries from sending the same again and again."""


class Telling:
    """Tells callers what is left of some meters: of several of requests, or of tokens, it is the tightest."""

    def __init__(self, meters: Sequence[Meter]) -> None:
        of_kinds = [[_Told(place, each) for place, each in enumerate(meters) if each.of == of] for of in _OPENAI]
        self._choices = [told for told in of_kinds if told]
        self._told = [told[0] for told in self._choices]
        """What is told where there is nothing to choose."""
        self._policy = _policy(self._told)
        self._has_choice = any(len(told) > 1 for told in self._choices)

    def openai(self, reserved: Reserved) -> Headers:
        """Return the headers in OpenAI's shape."""
        headers: Headers = []
        states, left = [], reserved.left
        told, policy = (self._told, self._policy) if not self._has_choice else self._tightest(reserved)
        for each in told:
            remaining, reset_s = left[each.place]
            headers += (
                each.openai_limit,
                (each.openai_remaining, b"%d" % remaining),
                (each.openai_reset, duration(reset_s).encode()),
            )
            states.append(each.state % (remaining, math.ceil(reset_s)))
        return _ended(headers, policy, states, reserved)

    def anthropic(self, reserved: Reserved, wall: float) -> Headers:
        """Return the headers in Anthropic's shape, which tells times of the clock."""
        headers: Headers = []
        states = []
        told, policy = (self._told, self._policy) if not self._has_choice else self._tightest(reserved)
        for each in told:
            remaining, reset_s = reserved.left[each.place]
            headers += _anthropic(each.meter, remaining, reset_s, wall)
            states.append(each.state % (remaining, math.ceil(reset_s)))
        return _ended(headers, policy, states, reserved)

    def _tightest(self, reserved: Reserved) -> "tuple[list[_Told], Headers]":
        """Return of each kind the meter of which the smallest part is left, and what their policy is."""
        told = [
            min(choices, key=lambda each: reserved.left[each.place][0] / each.meter.amount) for choices in self._choices
        ]
        return told, _policy(told)


class _Told:
    """A meter that callers are told of: where it stands, and what is the same each time."""

    def __init__(self, place: int, meter: Meter) -> None:
        self.place = place
        self.meter = meter
        limit, self.openai_remaining, self.openai_reset = _OPENAI[meter.of]
        self.openai_limit = (limit, b"%d" % meter.amount)
        self.policy = b'"%b";q=%d;w=%d' % (meter.of.encode(), meter.amount, math.ceil(meter.window_s))
        self.state = b'"%b";r=%%d;t=%%d' % meter.of.encode()


def _policy(told: Sequence[_Told]) -> Headers:
    return [(b"ratelimit-policy", b", ".join([each.policy for each in told]))] if told else []


def _ended(headers: Headers, policy: Headers, states: list[bytes], reserved: Reserved) -> Headers:
    """Return headers with what all shapes have."""
    if states:
        headers += policy
        headers.append((b"ratelimit", b", ".join(states)))
    if reserved.retry_after_s == math.inf:
        headers.append(_NEVER)
    return headers


def refusal(reserved: Reserved, meters: Sequence[Meter], tokens: int) -> LimitReached:
    """Return the error of a request that was not let in, and may come to so many tokens."""
    index = reserved.refused_by
    if index is None:
        raise ValueError("the request was let in")
    meter, wait_s = meters[index], reserved.retry_after_s
    limit = _limit(meter)
    if math.isinf(wait_s):
        return LimitReached(f"This request may come to {tokens:,} tokens, but {limit}. Ask for less.")
    if meter.kind is Kind.BUDGET:
        remaining, _ = reserved.left[index]
        sentence = f"{_capital(limit)}; {remaining:,} are left, and this request may come to {tokens:,}."
        return BudgetSpent(f"{sentence} Try again after midnight UTC.", retry_after_s=wait_s)
    return LimitReached(f"{_capital(limit)}. Try again in {duration(wait_s)}.", retry_after_s=wait_s)


def duration(seconds: float) -> str:
    """Return a time as OpenAI writes it: `20ms`, `1s`, `6m0s`, `1h0m5s`. It is never shorter than what is meant."""
    if seconds <= 0:
        return "0s"
    milliseconds = math.ceil(seconds * 1000 - _NOISE_MS)
    if milliseconds < _SECOND_MS:
        return f"{milliseconds}ms"
    minutes, rest = divmod(math.ceil(milliseconds / _SECOND_MS), 60)
    if not minutes:
        return f"{rest}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{rest}s" if hours else f"{minutes}m{rest}s"


def _anthropic(meter: Meter, remaining: int, reset_s: float, wall: float) -> Headers:
    prefix = f"anthropic-ratelimit-{meter.of}-".encode()
    reset = datetime.fromtimestamp(wall, UTC) + timedelta(seconds=math.ceil(min(reset_s, _FARTHEST_S)))
    return [
        (prefix + b"limit", b"%d" % meter.amount),
        (prefix + b"remaining", b"%d" % remaining),
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
