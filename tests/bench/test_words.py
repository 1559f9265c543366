"""What was asked for, in words."""

import shlex
from pathlib import Path

import pytest

from tests.bench.making import planned
from vllm_gateway.bench.words import command, load_in_words


@pytest.mark.parametrize(
    ("load", "words"),
    [
        ({}, "closed loop, 1 at once, 10 requests"),
        ({"concurrency": 8, "duration_s": 2.5}, "closed loop, 8 at once, 2.5 s"),
        ({"rate": "20"}, "open loop, 20 requests/s, poisson arrivals, 10 requests"),
        ({"rate": "5:50", "arrivals": "burst"}, "open loop, 5 to 50 requests/s, bursts of 8, 10 requests"),
    ],
)
def test_a_load_is_said_in_words(load: dict[str, object], words: str) -> None:
    """How fast and how much."""
    assert load_in_words(planned(load=load)) == words


def test_a_sweep_is_said_in_words() -> None:
    """Each step has the bound."""
    plan = planned(load={"sweep": "1,2"}, verdict={"goodput": ("ttft:1",)})
    assert load_in_words(plan) == "sweep, poisson arrivals, 10 s at each rate"


def test_a_command_can_be_given_again() -> None:
    """Only what differs from the defaults, quoted where a shell needs it, and nothing that must stay secret."""
    plan = planned(
        server={"api_key": "sk-1", "header": ("X-A: secret",), "stream": False, "model": ("m", "n"), "timeout_s": 5.0},
        load={"duration_s": 2.0},
        verdict={"fail_if": ("p99_ttft_ms > 3",), "goodput": ("ttft:1", "tpot:2")},
        output={"out": Path("my reports"), "json": True},
    )
    said = command(plan.wishes)
    assert shlex.split(said) == [
        *("vllm-gateway", "bench", "--model", "m", "--model", "n", "--no-stream", "--api-key", "...", "--header"),
        *("X-A: ...", "--timeout", "5.0", "--duration", "2.0", "--goodput", "ttft:1", "--goodput", "tpot:2"),
        *("--fail-if", "p99_ttft_ms > 3", "--out", "my reports", "--json"),
    ]
