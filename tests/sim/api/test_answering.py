"""What all generating routes share."""

from tests.sim.quick import HELLO, quick
from vllm_gateway.sim.api.answering import new_id, present


def test_ids_differ() -> None:
    """Each answer has an id of its own, as long as vLLM's."""
    assert len({new_id() for _ in range(100)}) == 100
    assert len(new_id()) == 16


def test_what_is_none_is_left_out() -> None:
    """Inside too, as in the last chunk of a stream."""
    assert present({"a": None, "b": {"c": None, "d": 0}, "e": []}) == {"b": {"d": 0}, "e": []}


async def test_the_journal_follows_an_answer() -> None:
    """Status, first byte, first and last token and the end are noted in their order."""
    async with quick(itl_ms=1, ttft_ms=5) as sim:
        await sim.stream("/v1/chat/completions", **HELLO, max_tokens=4)
        seen = sim.sim.log.requests[0]
    times = [seen.head_at, seen.body_at, seen.first_byte_at, seen.first_token_at, seen.last_token_at, seen.ended_at]
    found = [at for at in times if at is not None]
    assert len(found) == 6
    assert found == sorted(found)
    assert (seen.status, seen.tokens, seen.gone_at) == (200, 4, None)


async def test_the_id_of_the_body_is_used_when_no_header_names_one() -> None:
    """A caller can name its request either way; the header wins."""
    async with quick() as sim:
        body = HELLO | {"request_id": "of-body", "max_tokens": 1}
        assert (await sim.post("/v1/chat/completions", **body))["id"] == "chatcmpl-of-body"
        answer = await sim.http.post("/v1/chat/completions", json=body, headers={"X-Request-Id": "of-header"})
        assert answer.json()["id"] == "chatcmpl-of-header"


async def test_times_are_told_for_one_choice_when_switched_on() -> None:
    """For several choices they could not be told apart, and are left out."""
    async with quick(per_request_metrics=True, ttft_ms=3, itl_ms=1) as sim:
        one = await sim.post("/v1/chat/completions", **HELLO, max_tokens=3)
        two = await sim.post("/v1/chat/completions", **HELLO | {"temperature": 1}, max_tokens=3, n=2)
    assert one["metrics"]["time_to_first_token_ms"] >= 2
    assert one["metrics"]["mean_itl_ms"] > 0
    assert two["metrics"] is None


async def test_details_of_the_cache_can_be_kept_back() -> None:
    """As a vLLM without the flag does."""
    async with quick(prompt_tokens_details=False) as sim:
        answer = await sim.post("/v1/chat/completions", **HELLO, max_tokens=1)
    assert answer["usage"]["prompt_tokens_details"] is None
