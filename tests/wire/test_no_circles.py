"""What a request leaves behind: nothing that only Python's collector would find, because it holds up all streams."""

import gc
from collections.abc import Iterator

import pytest

from tests.waiting import until
from tests.wire.sims import fast, fleet
from vllm_gateway.exchange import Exchange

pytestmark = pytest.mark.both_lanes

MESSAGES = [{"role": "user", "content": "Hi"}]
ASKED = {
    "in one piece": ("/v1/chat/completions", {"model": "sim-small", "messages": MESSAGES, "max_tokens": 2}),
    "as a stream": ("/v1/chat/completions", {"model": "sim-small", "messages": MESSAGES, "stream": True}),
    "in another shape": ("/chat", {"model": "sim-small", "messages": MESSAGES, "max_tokens": 2}),
    "of no model": ("/v1/chat/completions", {"model": "unheard-of", "messages": MESSAGES}),
    "against a rule": ("/v1/chat/completions", {"model": "sim-small", "messages": MESSAGES, "n": -1}),
    "by the replica's refusal": ("/v1/chat/completions", {"model": "sim-small", "messages": "none"}),
}
TIMES = 5


def exchanges() -> int:
    """Return how many exchanges there are in this process."""
    return sum(type(each) is Exchange for each in gc.get_objects())


@pytest.fixture
def kept_before() -> Iterator[int]:
    """Let nothing be collected while the test runs; give how many exchanges other tests have kept."""
    gc.collect()
    gc.disable()
    yield exchanges()
    gc.enable()


@pytest.mark.parametrize("kind", ASKED)
async def test_a_request_goes_with_its_end(kind: str, kept_before: int) -> None:
    """However it was answered, it is gone when that is over: nothing it has made points back at it."""
    path, body = ASKED[kind]
    async with fleet(fast()) as (_, door):
        for _ in range(TIMES):
            await door.http.post(path, json=body)
        await until(lambda: not door.parts.ledger.live)
        assert exchanges() <= kept_before
