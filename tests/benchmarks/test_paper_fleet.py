"""Policies compared on paper."""

from typing import get_args

import pytest

from benchmarks.paper_fleet import PaperLoad, compare
from vllm_gateway.settings.fleet import PolicyName


@pytest.mark.parametrize(
    "load",
    [
        PaperLoad(conversations=60, starts_per_s=2.5),
        PaperLoad(conversations=60, starts_per_s=2.5, cache_blocks=600),
        PaperLoad(conversations=60, starts_per_s=4, systems=1, system_bytes=6000, places=16),
    ],
    ids=["many systems", "small caches", "one system"],
)
def test_prefix_finds_more_in_caches_than_any_other_policy(load: PaperLoad) -> None:
    """Conversations of many turns whose clients name none of them, and answers come no later for it."""
    scores = compare(get_args(PolicyName), load)
    prefix = scores.pop("prefix")
    for score in scores.values():
        assert score.answers == prefix.answers
        assert prefix.hit_percent > score.hit_percent + 5
        assert prefix.ttft_p50_ms <= score.ttft_p50_ms


def test_a_session_header_is_as_good_as_the_prompt() -> None:
    """Every policy keeps conversations together when they have names."""
    load = PaperLoad(conversations=60, starts_per_s=2.5, names_conversations=True)
    named = compare(["least_busy", "prefix"], load)
    nameless = compare(["least_busy"], PaperLoad(conversations=60, starts_per_s=2.5))
    assert named["least_busy"].hit_percent > nameless["least_busy"].hit_percent + 5
    assert named["prefix"].hit_percent >= named["least_busy"].hit_percent


def test_a_run_is_repeatable() -> None:
    """The same seed gives the same figures."""
    load = PaperLoad(conversations=20)
    assert compare(["two_choices"], load, seed=3) == compare(["two_choices"], load, seed=3)
