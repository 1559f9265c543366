"""Scenarios before a gateway that does nothing: callers ask a replica that breaks, and see all of it."""

from dataclasses import replace

import pytest

from tests.chaos.scenes import SMALL, scene, unguarded
from vllm_gateway.chaos.caller import Target
from vllm_gateway.chaos.judging import Grade
from vllm_gateway.chaos.playing import Played, play
from vllm_gateway.chaos.scenarios import SCENARIOS

BY_NAME = {each.name: each for each in SCENARIOS}


async def played(name: str, hung_s: float = 8.0) -> Played:
    """Play a scenario without a gateway."""
    async with unguarded(replace(SMALL, hung_s=hung_s)) as bare:
        return await play(BY_NAME[name], bare)


@pytest.mark.parametrize(
    ("name", "grade", "reason"),
    [
        ("patience", Grade.FAIL, "429 although a replica stood ready"),
        ("hiccup", Grade.FAIL, "500 although a replica stood ready"),
        ("reset", Grade.FAIL, "the connection closed without an answer"),
        ("slow", Grade.PASS, ""),
        ("cut", Grade.SAFE, "visibly broken off"),
        ("garbage", Grade.FAIL, "an event that cannot be read was passed on"),
        ("nodone", Grade.PARTIAL, "0 [DONE]"),
        ("filter", Grade.PASS, ""),
        ("accounting", Grade.FAIL, "500 although a replica stood ready"),
    ],
)
async def test_what_breaks_is_seen(name: str, grade: Grade, reason: str) -> None:
    """Without a gateway every fault reaches its caller, and gets the grade that it deserves."""
    found = await played(name)
    assert (found.verdict.grade, found.verdict.reason) == (grade, reason)
    assert found.met > 0
    assert found.attempts == found.asked


async def test_silence_is_a_hang() -> None:
    """A replica that says nothing holds its caller until that loses patience."""
    found = await played("silence", hung_s=1.5)
    assert found.verdict.reason.startswith("nothing ended it")
    assert found.right == found.asked - SMALL.hits


async def test_a_prompt_that_is_too_long_is_refused_once() -> None:
    """The replica's own error passes, and the larger model is missed where nobody falls back on it."""
    found = await played("context")
    assert (found.right, found.asked) == (10, 16)
    assert found.verdict.reason == "400 although a replica stood ready"


async def test_flapping_is_noticed() -> None:
    """Callers of a replica that crashes now and then notice."""
    async with unguarded(replace(SMALL, flap_s=2.4)) as bare:
        found = await play(BY_NAME["flapping"], bare)
    assert found.verdict.grade is Grade.FAIL
    assert 0 < found.right < found.asked


async def test_a_budget_is_compared() -> None:
    """Our own gateway takes exactly what was answered off the budget."""
    harmless = replace(BY_NAME["accounting"], faults=("slow=0.01",))
    async with scene() as whole:
        found = await play(harmless, whole)
        assert (found.verdict.grade, found.verdict.reason) == (Grade.PASS, "")
    assert found.tokens > 0


async def test_a_gateway_that_never_answers_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing works before anything is broken, nothing is played."""
    monkeypatch.setattr("vllm_gateway.chaos.playing._SETTLING_PAUSE_S", 0.01)
    async with unguarded() as bare:
        bare.target = Target("127.0.0.1", 1)
        found = await play(BY_NAME["cut"], bare)
    assert (found.asked, found.verdict.grade) == (0, Grade.FAIL)
    assert found.verdict.reason == "the gateway does not answer although nothing is broken"
