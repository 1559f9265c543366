"""What was asked for, as one reads it in a report."""

from dataclasses import fields

from vllm_gateway.bench.load.arrivals import Closed, Open, Pattern
from vllm_gateway.bench.plan import Plan
from vllm_gateway.bench.wishes import Wishes


def load_in_words(plan: Plan) -> str:
    """Return how much is asked, and how fast, as one reads it in a report."""
    load, arrivals = plan.load, plan.load.arrivals
    bound = f"{load.requests} requests" if load.requests is not None else f"{load.duration_s:g} s"
    if plan.sweep is not None and isinstance(arrivals, Open):
        return f"sweep, {_spread(arrivals)}, {bound} at each rate"
    return f"{arrivals_in_words(arrivals)}, {bound}"


def arrivals_in_words(arrivals: Closed | Open) -> str:
    """Return how requests arrive, as one reads it in a report."""
    if isinstance(arrivals, Closed):
        return f"closed loop, {arrivals.concurrency} at once"
    last = "" if arrivals.last_rate_per_s is None else f" to {arrivals.last_rate_per_s:g}"
    return f"open loop, {arrivals.rate_per_s:g}{last} requests/s, {_spread(arrivals)}"


def _spread(arrivals: Open) -> str:
    is_burst = arrivals.pattern is Pattern.BURST
    return f"bursts of {arrivals.burst}" if is_burst else f"{arrivals.pattern.value} arrivals"


def command(wishes: Wishes) -> str:
    """Return the command that makes these wishes, without what must stay secret."""
    words = ["vllm-gateway bench"]
    for group in (wishes.server, wishes.load, wishes.prompts, wishes.verdict, wishes.output):
        plain = type(group)()
        for each in fields(group):
            value = getattr(group, each.name)
            if value != getattr(plain, each.name):
                words += _flag(each.name.removesuffix("_s").replace("_", "-"), value)
    return " ".join(words)


def _flag(name: str, value: object) -> list[str]:
    if isinstance(value, bool):
        return [f"--{name}" if value else f"--no-{name}"]
    if name == "api-key":
        return ["--api-key ..."]
    if name == "header":
        return [f"--header '{str(each).partition(':')[0]}: ...'" for each in _several(value)]
    return [f"--{name} {_quoted(str(each))}" for each in _several(value)]


def _several(value: object) -> tuple[object, ...]:
    return value if isinstance(value, tuple) else (value,)


def _quoted(text: str) -> str:
    return f"'{text}'" if any(character in text for character in " <>&|{}'\"$*?;()") else text
