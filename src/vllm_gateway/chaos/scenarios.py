"""What breaks, what is asked meanwhile, and what is wanted: the scenarios, as data."""

from dataclasses import dataclass
from enum import Enum, auto

from vllm_gateway.chaos.questions import CHAT_STREAM, CHAT_WHOLE, COMPLETION_STREAM, EVERY_KIND, QUIET_STREAM, Kind


class How(Enum):
    """How a scenario is played."""

    NOW_AND_THEN = auto()
    """Every fifth request meets a fault at the replica that is asked first, whichever that is."""
    ONE_REPLICA = auto()
    """The first replica is broken all the time; the other one is well."""
    TOO_LONG = auto()
    FILTERED = auto()
    FLAPPING = auto()
    ACCOUNTED = auto()
    """As now and then; where the gateway tells what is left of a budget, that is compared too."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario."""

    name: str
    title: str
    broken: str
    """What is broken."""
    wanted: str
    """What passes, beyond the whole answer in proper form and in time."""
    how: How = How.NOW_AND_THEN
    faults: tuple[str, ...] = ()
    """In the words of `docs/sim.md`, one after the other; `{k}` is a place inside the answer."""
    everywhere: tuple[str, ...] = ()
    """What is so at every replica all the time."""
    kinds: tuple[Kind, ...] = EVERY_KIND
    """What is asked."""


STREAMS = (CHAT_STREAM, COMPLETION_STREAM, QUIET_STREAM)

GENERAL = {
    "pass": "the right and whole answer, in proper form (one role, one finish reason, one [DONE], one id, the usage), "
    "in time",
    "partial": "the right and whole answer with a blemish: a second role, another id, wrong usage, late",
    "safe": "an honest error where only a part of the answer could be given: an error event or a visible break, and "
    "nothing wrong before it",
    "fail": "wrong, repeated or lost text, a clean end of a broken answer, a hang, or an error although a replica "
    "stood ready that could have answered from the beginning",
}
"""What the grades mean. A scenario has the worst grade of its answers."""

SCENARIOS = (
    Scenario(
        "patience",
        "429 with Retry-After",
        "One replica answers every request with 429 and Retry-After: 1; the other is well.",
        "The other replica answers, and the first is left alone while it asks for patience.",
        How.ONE_REPLICA,
        ("status=429:1",),
    ),
    Scenario(
        "busy",
        "429 without Retry-After",
        "One replica answers every request with 429; the other is well.",
        "The other replica answers.",
        How.ONE_REPLICA,
        ("status=429",),
    ),
    Scenario(
        "hiccup",
        "one single 500",
        "Now and then a replica answers one request with 500.",
        "Another replica answers.",
        faults=("status=500",),
    ),
    Scenario(
        "overload",
        "lasting 503 on one replica",
        "One replica answers every request with 503; the other is well.",
        "The other replica answers.",
        How.ONE_REPLICA,
        ("status=503",),
    ),
    Scenario(
        "reset",
        "reset before headers",
        "Now and then a replica closes the connection, with RST or FIN, before it answers.",
        "Another replica answers.",
        faults=("reset", "eof"),
    ),
    Scenario(
        "silence",
        "no answer at all",
        "Now and then a replica takes a request and says nothing.",
        "Another replica answers after the first-token time-out.",
        faults=("stall",),
        kinds=STREAMS,
    ),
    Scenario(
        "slow",
        "slow first token",
        "Now and then a first token is 0.4 s late, which is within the limits.",
        "The answer, from whichever replica; patience is not to be mistaken for failure.",
        faults=("slow=0.4",),
    ),
    Scenario(
        "cut",
        "stream cut",
        "Now and then a stream breaks off in its midst: RST, FIN, half an event, an error, an abort.",
        "The stream goes on from another replica: nothing lost, nothing repeated.",
        faults=("reset@{k}", "eof@{k}", "cut=event@{k}", "cut=chunk@{k}", "cut=char@{k}", "error@{k}", "abort@{k}"),
        kinds=STREAMS,
    ),
    Scenario(
        "stall",
        "stream stall",
        "Now and then a stream falls silent in its midst, and its connection stays open.",
        "The stream goes on from another replica after the idle time-out.",
        faults=("stall@{k}",),
        kinds=STREAMS,
    ),
    Scenario(
        "garbage",
        "malformed event",
        "Now and then a stream carries an event that is no JSON, and goes on.",
        "The caller sees nothing of it.",
        faults=("garbage@{k}",),
        kinds=STREAMS,
    ),
    Scenario(
        "nodone",
        "missing [DONE]",
        "Now and then a stream ends after its finish reason without [DONE].",
        "The answer is complete, and ends as it should.",
        faults=("nodone",),
        kinds=STREAMS,
    ),
    Scenario(
        "context",
        "context length",
        "Nothing is broken; prompts are too long for the model.",
        "The replica's 400 reaches the caller unchanged after one attempt; where a model with a larger context is "
        "configured, that answers.",
        How.TOO_LONG,
    ),
    Scenario(
        "filter",
        "content filter",
        "A filter before the model refuses some prompts with 400 and the code content_filter.",
        "The error reaches the caller unchanged after one attempt, and no replica is taken out for it.",
        How.FILTERED,
        ("filter",),
    ),
    Scenario(
        "noprefill",
        "cut, and no prefill",
        "Streams are cut or stall, and every replica refuses chats that end with the assistant's words.",
        "The stream goes on all the same.",
        faults=("reset@{k}", "eof@{k}", "stall@{k}"),
        everywhere=("noprefill",),
        kinds=(CHAT_STREAM, QUIET_STREAM),
    ),
    Scenario(
        "flapping",
        "flapping primary",
        "One replica listens for a second and crashes for a second, for a minute; the other is well.",
        "No caller notices.",
        How.FLAPPING,
        ("flap=1:1",),
        kinds=(CHAT_STREAM, COMPLETION_STREAM, CHAT_WHOLE),
    ),
    Scenario(
        "accounting",
        "accounting after failover",
        "Requests fail before their first byte and streams in their midst.",
        "The usage is that of an undisturbed answer, told once; failed attempts use nothing of a budget.",
        How.ACCOUNTED,
        faults=("status=500", "reset", "reset@{k}", "eof@{k}", "error@{k}"),
        kinds=(CHAT_STREAM, COMPLETION_STREAM),
    ),
)
