"""What can be asked of the load test: its flags, their meanings and their defaults.

The command line makes its flags of these fields, and its help of the sentences under them.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Group, Parameter
from cyclopts.validators import Number

Count = Annotated[int, Parameter(validator=Number(gte=1))]
Seconds = Annotated[float, Parameter(validator=Number(gt=0))]


@Parameter(name="*", group=Group("Server", sort_key=1))
@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Who is asked."""

    url: str = "http://127.0.0.1:8080"
    """Address of the gateway or server, with or without /v1."""
    direct: str | None = None
    """Address of the replica behind the gateway: both get the same load in turns, and what the gateway adds is told."""
    model: Annotated[tuple[str, ...], Parameter(negative=(), show_default=False)] = ()
    """Model to ask; give it again for several, which are asked in turn. [default: the server's first]"""
    endpoint: Literal["chat", "completions", "embeddings"] = "chat"
    """Route to ask."""
    stream: Annotated[bool, Parameter(negative="--no-stream")] = True
    """Ask for streams, or for answers in one piece."""
    api_key: str | None = None
    """Key that the server wants from its callers; it appears in no report."""
    header: Annotated[tuple[str, ...], Parameter(negative=(), show_default=False)] = ()
    """Header of every request, as in 'X-Team: blue'; give it again for each further one."""
    body: str | None = None
    """JSON object whose fields every request carries, as in '{"temperature": 0}'."""
    timeout_s: Annotated[Seconds, Parameter(name="--timeout")] = 300.0
    """Seconds after which an answer is given up."""


@Parameter(name="*", group=Group("Load", sort_key=2))
@dataclass(frozen=True, slots=True, kw_only=True)
class HowMuch:
    """How much is asked, and how fast."""

    requests: Annotated[Count | None, Parameter(name=("--requests", "--runs"))] = None
    """Requests in all, for each target. [default: 10, if there is no --duration]"""
    duration_s: Annotated[Seconds | None, Parameter(name="--duration")] = None
    """Seconds for which new requests are begun, for each target and each step of a sweep."""
    concurrency: Count | None = None
    """Closed loop: so many callers, each asks again as soon as it has its answer. [default: 1]"""
    rate: str | None = None
    """Open loop: requests per second, whether or not earlier ones are answered; 5:50 grows evenly from 5 to 50."""
    arrivals: Literal["poisson", "constant", "burst"] = "poisson"
    """How requests of an open loop are spread."""
    burst: Count = 8
    """Requests of one burst."""
    sweep: str | None = None
    """Open loop at one rate after the other: 1,2,4,8, or 1:64 to search the highest that keeps --goodput."""
    warmup: Annotated[int, Parameter(validator=Number(gte=0))] = 2
    """Requests before those that count, for each target."""
    rounds: Annotated[int, Parameter(validator=Number(gte=2))] = 10
    """Turns that gateway and replica take with --direct; they share requests and duration."""
    seed: int | None = None
    """Makes prompts and arrivals repeatable; they meet the prefix cache of the run before. [default: a new one]"""


@Parameter(name="*", group=Group("Prompts", sort_key=3))
@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIsSaid:
    """What is asked."""

    prompts: Path | None = None
    """File with prompts: JSON lines with 'prompt' or 'messages', ShareGPT's JSON, or text, a prompt on each line."""
    synthetic: str = "64,64"
    """Made-up prompts and full-length answers, as tokens in and out."""
    max_tokens: Count = 128
    """Longest answer to a prompt of a file that does not say itself."""
    turns: Count = 1
    """Turns of a conversation: so many of made-up ones, at most so many of those in a file."""
    shared_prefix: Annotated[int, Parameter(validator=Number(gte=0))] = 0
    """Tokens of a beginning that made-up conversations share, on top of their own."""
    prefixes: Count = 1
    """How many such beginnings there are."""
    prefix_share: Annotated[float, Parameter(validator=Number(gte=0, lte=1))] = 1.0
    """Share of conversations that have one."""
    salt: Annotated[bool | None, Parameter(negative="--no-salt")] = None
    """Begin each prompt of a file with a word of its own, so that no prefix cache knows it. [default: with --direct]"""


@Parameter(name="*", group=Group("Verdict", sort_key=4))
@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is good enough."""

    goodput: Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative=(), show_default=False)] = ()
    """Limits in milliseconds of a good answer, as in --goodput ttft:200 tpot:50; also itl, e2el."""
    vs: Path | None = None
    """result.json of an earlier run, or of vllm bench serve, to compare with."""
    fail_if: Annotated[tuple[str, ...], Parameter(negative=(), show_default=False)] = ()
    """Condition for exit status 1, as in 'p99_ttft_ms > 300 or error_rate > 1%'; give it again for each further one."""
    expect_errors: Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative=(), show_default=False)] = ()
    """Kinds of failure that are no reason for exit status 1, as in --expect-errors http_429."""


@Parameter(name="*", group=Group("Output", sort_key=5))
@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What is written."""

    out: Path = Path("reports")
    """Folder in which every run makes one of its own, with report.md, result.json, requests.csv and plots."""
    plots: Annotated[bool, Parameter(negative="--no-plots")] = True
    """Draw plots, as SVG and PNG; needs the extra 'bench'."""
    json: Annotated[bool, Parameter(negative=(), show_default=False)] = False
    """Print result.json in place of the table."""
    quiet: Annotated[bool, Parameter(negative=(), show_default=False)] = False
    """Show no progress; there is none anyway where no terminal is."""


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """All that can be asked for."""

    server: Server = field(default_factory=Server)
    load: HowMuch = field(default_factory=HowMuch)
    prompts: WhatIsSaid = field(default_factory=WhatIsSaid)
    verdict: Verdict = field(default_factory=Verdict)
    output: Output = field(default_factory=Output)
