"""How a fault is said, the same in a flag, in an admin call and in the name of a model.

    KIND[=ARGUMENT][@TOKEN][xTIMES][%PERCENT][/PATH]

    reset@7            reset the connection (RST) after 7 tokens; without a token, before any byte of the answer
    eof@7              close it (FIN) after 7 tokens, without a finish reason
    cut=event@7        send half an event and close; `chunk` breaks the HTTP chunk too, `char` cuts inside a character
    stall@7            send nothing more after 7 tokens, and keep the connection open; `stall=2@7` goes on after 2 s
    status=503         answer with this status; `status=429:2` adds `Retry-After: 2`
    slow=2             make the first token 2 s late
    garbage@7          put an event that is no JSON after 7 tokens, and go on
    nodone             leave out `[DONE]`
    error@7            after 7 tokens an error event and `[DONE]`, as vLLM ends a stream that failed
    abort@7            finish after 7 tokens with the reason `abort`
    filter             refuse the request for what it says, as a filter before a vLLM does (400, `content_filter`)
    noprefill          refuse chats that end with the assistant's words, as some chat templates do (400)
    deaf               do not read the body of the request; `deaf=2` reads it after 2 s
    wedge              make no tokens at all while everything looks alive; `wedge=2` for 2 s
    refuse             stop listening; `refuse=2` for 2 s
    crash=2            reset every connection and stop listening, for 2 s
    flap=2:1           listen for 2 s, crash for 1 s, and so on

`x2` lets a fault happen twice and no more, `%25` to a quarter of the requests, `/health` to requests whose path begins
so (without a path: to everything that generates or embeds). Several are separated by commas. The last four are about
the whole sim and take neither.
"""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from typing_extensions import override


class Kind(StrEnum):
    """What goes wrong."""

    RESET = "reset"
    EOF = "eof"
    CUT = "cut"
    STALL = "stall"
    STATUS = "status"
    SLOW = "slow"
    GARBAGE = "garbage"
    NODONE = "nodone"
    ERROR = "error"
    ABORT = "abort"
    FILTER = "filter"
    NOPREFILL = "noprefill"
    DEAF = "deaf"
    WEDGE = "wedge"
    REFUSE = "refuse"
    CRASH = "crash"
    FLAP = "flap"


STANDING = frozenset({Kind.WEDGE, Kind.REFUSE, Kind.CRASH, Kind.FLAP})
"""Faults of the whole sim, which begin when they are added."""

_AT_A_TOKEN = frozenset({Kind.RESET, Kind.EOF, Kind.CUT, Kind.STALL, Kind.GARBAGE, Kind.ERROR, Kind.ABORT})
_SECONDS = r"\d{1,6}(\.\d{1,3})?"
_ARGUMENTS = {
    Kind.CUT: r"event|chunk|char",
    Kind.STALL: _SECONDS,
    Kind.STATUS: rf"[45]\d\d(:{_SECONDS})?",
    Kind.SLOW: _SECONDS,
    Kind.DEAF: _SECONDS,
    Kind.WEDGE: _SECONDS,
    Kind.REFUSE: _SECONDS,
    Kind.CRASH: _SECONDS,
    Kind.FLAP: rf"{_SECONDS}:{_SECONDS}",
}
_NEEDS_ARGUMENT = frozenset({Kind.CUT, Kind.STATUS, Kind.SLOW, Kind.FLAP})
_FORM = re.compile(
    r"(?P<kind>[a-z]+)(=(?P<argument>[a-z0-9.:]+?))?(@(?P<token>\d{1,6}))?"
    r"(x(?P<times>\d{1,6}))?(%(?P<percent>\d{1,3}(\.\d{1,3})?))?(?P<path>/[!-~]*)?"
)


class FaultInvalid(ValueError):
    """A fault that cannot be understood; `str()` says why."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault; `str()` of it is what `parse` reads."""

    kind: Kind
    argument: str | None = None
    token: int | None = None
    times: int | None = None
    percent: float = 100.0
    path: str | None = None

    @override
    def __str__(self) -> str:
        parts = [
            str(self.kind),
            "" if self.argument is None else f"={self.argument}",
            "" if self.token is None else f"@{self.token}",
            "" if self.times is None else f"x{self.times}",
            "" if self.percent == 100 else f"%{self.percent:g}",  # noqa: PLR2004 - all of them
            self.path or "",
        ]
        return "".join(parts)

    @property
    def seconds(self) -> float | None:
        """The argument as a time; None where none was given."""
        return None if self.argument is None else float(self.argument)


def parse_all(text: str) -> list[Fault]:
    """Return the faults of a comma-separated list, or raise `FaultInvalid`."""
    return [parse(part.strip()) for part in text.split(",") if part.strip()]


def parse(text: str) -> Fault:
    """Return the fault that `text` says, or raise `FaultInvalid`."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise FaultInvalid(f"'{text}' is no fault: it should look like reset@7, status=503x2 or stall/health.")
    kind = _kind(found["kind"])
    fault = Fault(
        kind,
        found["argument"],
        None if found["token"] is None else int(found["token"]),
        None if found["times"] is None else int(found["times"]),
        100.0 if found["percent"] is None else float(found["percent"]),
        found["path"],
    )
    _check(fault, text)
    return fault


def _kind(name: str) -> Kind:
    try:
        return Kind(name)
    except ValueError:
        known = [str(kind) for kind in Kind]
        near = get_close_matches(name, known, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else f" Known are {', '.join(known)}."
        raise FaultInvalid(f"There is no fault '{name}'.{hint}") from None


def _check(fault: Fault, text: str) -> None:
    kind = fault.kind
    form = _ARGUMENTS.get(kind)
    if fault.argument is None:
        if kind in _NEEDS_ARGUMENT:
            raise FaultInvalid(f"'{text}' lacks what comes after '{kind}='.")
    elif form is None or not re.fullmatch(form, fault.argument):
        raise FaultInvalid(f"'{text}': '{kind}' cannot be '{fault.argument}'.")
    if fault.token is not None and kind not in _AT_A_TOKEN:
        raise FaultInvalid(f"'{text}': '{kind}' does not happen at a token.")
    if fault.times == 0 or not 0 < fault.percent <= 100:  # noqa: PLR2004 - all of them
        raise FaultInvalid(f"'{text}' would never happen.")
    if kind in STANDING and (fault.times is not None or fault.percent < 100 or fault.path):  # noqa: PLR2004 - all
        raise FaultInvalid(f"'{text}': '{kind}' is about the whole sim, not about single requests.")
