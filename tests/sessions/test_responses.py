"""Responses that are kept, for their owner only."""

from collections.abc import Sequence

import pytest
from typing_extensions import override

from vllm_gateway.clock import HandClock
from vllm_gateway.errors import ResponseUnknown, StoreFailed
from vllm_gateway.sessions.model import KeptResponse
from vllm_gateway.sessions.responses import Responses
from vllm_gateway.sessions.stores.memory import MemoryStore


async def kept(clock: HandClock, *, ttl_s: float = 60.0) -> Responses:
    """Return a chain of three responses of alice: a, b, c."""
    responses = Responses(MemoryStore(), ttl_s=ttl_s, clock=clock)
    for chain in ("", "a", "ab"):
        name = "abc"[len(chain)]
        await responses.keep({"id": name}, owner="alice", chain=tuple(chain), items=[name.upper()], replica="r1")
        clock.move(1)
    return responses


async def test_a_chain_is_found_from_its_last_link() -> None:
    """All that a response goes on from, the first one first."""
    responses = await kept(HandClock())
    found = await responses.chain("c", "alice")
    assert [(each.id, each.input, each.replica) for each in found] == [
        ("a", ["A"], "r1"),
        ("b", ["B"], "r1"),
        ("c", ["C"], "r1"),
    ]


async def test_somebody_elses_response_is_unknown() -> None:
    """For reading, for going on, and for deleting; the sentence is that of one which never was."""
    responses = await kept(HandClock())
    sentences = set()
    for attempt in (responses.find, responses.chain, responses.forget):
        for name, owner in (("c", "bob"), ("c", ""), ("x", "alice")):
            with pytest.raises(ResponseUnknown) as refusal:
                await attempt(name, owner)
            sentences.add(refusal.value.message.replace(name, "?", 1) if name == "x" else refusal.value.message)
    assert (await responses.find("c", "alice")).id == "c"
    assert {sentence.split(".")[1] for sentence in sentences} == {
        " It was not stored, was deleted, or is older than responses are kept"
    }


async def test_a_chain_with_a_gap_cannot_be_continued() -> None:
    """The link that is missing is named."""
    responses = await kept(HandClock())
    await responses.forget("b", "alice")
    assert [each.id for each in await responses.chain("a", "alice")] == ["a"]
    with pytest.raises(ResponseUnknown, match="no response b"):
        await responses.chain("c", "alice")


async def test_responses_expire() -> None:
    """After their time, and never when that is 0."""
    clock = HandClock()
    responses = await kept(clock, ttl_s=10.0)
    clock.move(6.5)
    assert (await responses.find("a", "alice")).id == "a"
    clock.move(1)
    with pytest.raises(ResponseUnknown):
        await responses.find("a", "alice")
    for_ever = await kept(clock, ttl_s=0.0)
    clock.move(1e9)
    assert (await for_ever.find("a", "alice")).id == "a"


async def test_an_odd_id_is_not_repeated() -> None:
    """What could not stand in a log or a terminal safely is not in the sentence."""
    responses = await kept(HandClock())
    for odd in ("x" * 200, "a\nb"):
        with pytest.raises(ResponseUnknown, match="no response with this id"):
            await responses.find(odd, "alice")


async def test_only_a_field_that_names_a_response_is_blamed() -> None:
    """Whoever reads or deletes one has named it in the path."""
    responses = await kept(HandClock())
    for attempt, param in ((responses.find, None), (responses.forget, None), (responses.chain, "previous_response_id")):
        with pytest.raises(ResponseUnknown) as refusal:
            await attempt("x", "alice")
        assert refusal.value.param == param


class Away(MemoryStore):
    """A store that may be away, and counts how often it is asked."""

    away = False
    asked = 0

    @property
    @override
    def is_away(self) -> bool:
        return self.away

    @override
    async def kept(self, ids: Sequence[str], now: float) -> list[KeptResponse]:
        self.asked += 1
        raise StoreFailed("away")


async def test_only_a_store_that_is_away_is_asked_whether_it_is_back() -> None:
    """So that nothing is generated that cannot be kept, and nothing is lost while all is well."""
    store = Away()
    responses = Responses(store, ttl_s=60, clock=HandClock())
    await responses.check()
    assert store.asked == 0
    store.away = True
    with pytest.raises(StoreFailed):
        await responses.check()
