"""What callers are told of their limits: headers with every answer, and one sentence where a limit is reached."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from vllm_gateway.admission.limits.limiter import Reserved
from vllm_gateway.admission.limits.meters import DAY_S, MINUTE_S, Kind, Meter
from vllm_gateway.errors import BudgetSpent, LimitReached

_SECOND_MS = 1000
_FARTHEST_S = 1000 * 365 * DAY_S
"""No time that is told lies farther ahead, however absurd the tokens that a replica says it has used."""
_NOISE_MS = 5e-7
"""What rounding may have added to a time."""
_OPENAI = (
    b"x-ratelimit-limit-%(of)b: %(amount)d\r\nx-ratelimit-remaining-%(of)b: %%d\r\nx-ratelimit-reset-%(of)b: %%b\r\n"
)
_ANTHROPIC = (
    b"anthropic-ratelimit-%(of)b-limit: %(amount)d\r\n"
    b"anthropic-ratelimit-%(of)b-remaining: %%d\r\n"
    b"anthropic-ratelimit-%(of)b-reset: %%b\r\n"
)
_POLICY = b'"%(of)b";q=%(amount)d;w=%(window_s)d'
_STATE = b'"%(of)b";r=%%d;t=%%d'
_NEVER = b"x-should-retry: false\r\n"
"""Keeps OpenAI's and Anthropic's libraries from sending the same again and again."""


class Telling:
    """Tells callers what is left of some meters: of several of requests, or of tokens, it is the tightest.

    It is told as lines of a reply's head: all that is the same for every request stands in them already.
    """

    def __init__(self, meters: Sequence[Meter]) -> None:
        self._meters = meters
        of_kinds = [[place for place, each in enumerate(meters) if each.of == of] for of in ("requests", "tokens")]
        self._choices = [places for places in of_kinds if places]
        self._has_choice = any(len(places) > 1 for places in self._choices)
        first = tuple(places[0] for places in self._choices)
        self._lines = {first: _Lines(meters, first)}
        """By the places of the meters that are told of; there are few choices."""
        self._usual = self._lines[first]

    def openai(self, reserved: Reserved) -> bytes:
        """Return the lines in OpenAI's shape."""
        lines = self._tightest(reserved) if self._has_choice else self._usual
        return lines.openai(reserved)

    def anthropic(self, reserved: Reserved, wall: float) -> bytes:
        """Return the lines in Anthropic's shape, which tells times of the clock."""
        lines = self._tightest(reserved) if self._has_choice else self._usual
        return lines.anthropic(reserved, wall)

    def _tightest(self, reserved: Reserved) -> "_Lines":
        """Return the lines that tell of each kind the meter of which the smallest part is left."""
        meters, left = self._meters, reserved.left
        chosen = tuple(min(places, key=lambda place: left[place][0] / meters[place].amount) for places in self._choices)
        if (found := self._lines.get(chosen)) is None:
            found = self._lines[chosen] = _Lines(meters, chosen)
        return found


class _Lines:
    """The lines that tell of some meters, in which only numbers are lacking."""

    def __init__(self, meters: Sequence[Meter], places: Sequence[int]) -> None:
        self._places = places
        told = [_constant(meters[place]) for place in places]
        end = b""
        if told:
            policy, state = (b", ".join([shape % each for each in told]) for shape in (_POLICY, _STATE))
            end = b"ratelimit-policy: %b\r\nratelimit: %b\r\n" % (policy, state)
        self._openai, self._anthropic = (
            b"".join([shape % each for each in told]) + end for shape in (_OPENAI, _ANTHROPIC)
        )

    def openai(self, reserved: Reserved) -> bytes:
        """Fill in what is left, and how long it takes until all of it is there again."""
        numbers: tuple[int | bytes, ...] = ()
        states: tuple[int, ...] = ()
        for place in self._places:
            remaining, reset_s = reserved.left[place]
            numbers += (remaining, duration(reset_s).encode())
            states += (remaining, math.ceil(reset_s))
        return _filled(self._openai, numbers + states, reserved)

    def anthropic(self, reserved: Reserved, wall: float) -> bytes:
        """Fill in what is left, and when all of it is there again."""
        numbers: tuple[int | bytes, ...] = ()
        states: tuple[int, ...] = ()
        for place in self._places:
            remaining, reset_s = reserved.left[place]
            numbers += (remaining, _time(wall, reset_s))
            states += (remaining, math.ceil(reset_s))
        return _filled(self._anthropic, numbers + states, reserved)


def _constant(meter: Meter) -> dict[bytes, object]:
    """Return what is told of a meter every time."""
    return {b"of": meter.of.encode(), b"amount": meter.amount, b"window_s": math.ceil(meter.window_s)}


def _filled(lines: bytes, numbers: tuple[int | bytes, ...], reserved: Reserved) -> bytes:
    return lines % numbers if reserved.retry_after_s != math.inf else lines % numbers + _NEVER


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


def _time(wall: float, reset_s: float) -> bytes:
    """Return the time of the clock in so many seconds."""
    reset = datetime.fromtimestamp(wall, UTC) + timedelta(seconds=math.ceil(min(reset_s, _FARTHEST_S)))
    return reset.strftime("%Y-%m-%dT%H:%M:%SZ").encode()


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
