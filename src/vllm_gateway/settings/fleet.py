"""Settings of the fleet: which replica is asked, when it is given up, and what is tried instead."""

from typing import Annotated, Literal

from pydantic import Field

from vllm_gateway.settings.section import Count, FilePath, Minute, NotBool, Percent, Seconds, Section

PolicyName = Literal["least_busy", "round_robin", "two_choices", "prefix"]


class Balance(Section):
    """Which replica of a route answers."""

    policy: PolicyName = "least_busy"
    """`least_busy`: the one with the least work for its weight. `round_robin`: one after the other. `two_choices`: the
    less busy of two that are drawn by lot. `prefix`: the one whose prefix cache likely knows the prompt's beginning,
    unless it is too busy."""

    affinity: bool = True
    """A conversation that its client names (`X-Session-Id`, `prompt_cache_key`, ...) goes where it was last, unless
    that replica is too busy."""

    prefix_blocks: Annotated[int, Field(ge=1024, le=10_000_000), NotBool] = 100_000
    """Blocks of prompts that policy `prefix` remembers for each replica, 64 bytes of text each; what was not used for
    the longest time is forgotten first."""


class Retry(Section):
    """A second chance on another replica, before the first byte of the answer has reached the caller."""

    attempts: Annotated[int, Field(ge=1, le=10), NotBool] = 3
    """Replicas that are asked for one request at most, the first one included. 1: no retry."""

    budget_percent: Percent = 20.0
    """Share of all requests that may be retries, in percent; three a second are always allowed. When it is spent,
    failures are passed on, so that retries cannot drown replicas that are already in trouble. 0: no retry."""

    wait_s: Seconds = 0.05
    """Seconds before the second try, on average; each further one waits twice as long. A wait that a replica asks for
    (`Retry-After`) counts for that replica only."""

    most_wait_s: Seconds = 2.0
    """Seconds that a request waits at most for a replica that asked for patience, when there is no other. 0: it does
    not wait."""


class Hedge(Section):
    """A second replica is asked when the first one is late with its first token; whoever is first answers."""

    enabled: bool = False
    """`true` asks a second replica. It costs up to `budget_percent` more work."""

    percentile: Annotated[float, Field(ge=50, le=99.9), NotBool] = 95.0
    """Late is later than so many percent of the route's first tokens."""

    least_wait_s: Seconds = 0.1
    """Seconds that are never late."""

    budget_percent: Percent = 5.0
    """Share of all requests that may be asked twice, in percent."""


class Resume(Section):
    """A stream whose replica dies goes on from another replica."""

    enabled: bool = True
    """`false`: a stream that breaks off ends with an error event."""

    attempts: Annotated[int, Field(ge=1, le=5), NotBool] = 2
    """Replicas that one stream may go on from, one after the other."""

    most_tokens: Count = 131_072
    """Prompt and answer together may have so many tokens; a longer stream ends with an error event."""

    seeded: bool = False
    """`true` also goes on by token ids where a `seed` was given and the temperature is above 0. The rest is then drawn
    anew: likely words, not those that the seed would have given."""


class RouteSettings(Section):
    """What is different for one route."""

    policy: PolicyName | None = None
    """Policy of this route. Default: `balance.policy`."""

    first_token_s: Seconds | None = None
    """Seconds from a streaming request to the first byte of its answer. Default: `timeouts.first_token_s`."""

    idle_s: Seconds | None = None
    """Seconds of silence inside a streamed answer. Default: `timeouts.idle_s`."""


class Probe(Section):
    """How the gateway watches its replicas, and when it sends them nothing more."""

    every_s: Minute = 5.0
    """Seconds between two looks at a replica (`/health`, its models, its metrics)."""

    timeout_s: Minute = 2.0
    """Seconds that a replica has to answer. Slower counts as failed."""

    stalled_s: Seconds = 8.0
    """A replica that has requests running and makes no token for so many seconds is out, whatever `/health` says. 0:
    never."""

    eject_s: Minute = 2.0
    """Seconds that a replica stays out at least; each time that it is out again soon after, twice as long."""

    most_eject_s: Minute = 120.0
    """Seconds that it stays out at most before one request tries it again."""

    panic_percent: Percent = 50.0
    """When less than this share of a route's replicas is healthy, those that are out for failed answers are asked all
    the same: most likely something else is wrong. Those that cannot be reached stay out. 0: never."""


class Sleeping(Section):
    """Replicas that take turns on one accelerator (`upstreams[].accelerator`)."""

    least_awake_s: Seconds = 5.0
    """Seconds that one stays awake at least before another one gets its place. Higher: fewer swaps under a mixed load,
    and a longer wait for the one that sleeps."""


class Discovery(Section):
    """Replicas that come and go."""

    file: FilePath | None = None
    """File with a list of upstreams, as under `upstreams`, in YAML or JSON. It is watched: replicas are added and
    removed as it changes, without dropping a stream."""

    every_s: Minute = 5.0
    """Seconds between two looks at the file, and at the addresses of upstreams with `resolve`."""
